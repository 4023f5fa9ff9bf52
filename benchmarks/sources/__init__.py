"""Captions and scene graphs of public data sets, as this toolkit reads them (spec 3.1, 3.5).

`python -m benchmarks.sources FORMAT INPUT --output DIR` writes `captions.jsonl` or
`scene_graphs.jsonl`, and `rejected.jsonl` with every row that could not be used.
"""
