"""Questions of the FINER benchmark in the formats of other tools (FINER section 2.4, spec 3.5).

`python -m benchmarks.exports FORMAT QUESTIONS_DIR --output DIR`. The interchange CSV itself is
what `benchmarks.finer build` writes.
"""
