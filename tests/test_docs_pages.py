"""Pages that promise what is not so: each is found."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.docs_pages import run

TRUE = """
```sh
echo "12 images, 0.3 s"; echo more
```

```text
12 images, 7.5 s
…
```

```python
import asyncio
await asyncio.sleep(0)
one = 1
print("a", one)
one + 1
```

```text
a 1
2
```

```bash
make demo
pip install "grainwise[review]"
python -m agents.rsr images.jsonl --output runs/mine \\
    --max-cost 5   # --not-a-flag
grainwise import coco captions.json --output data/coco && python -m scoring judged.jsonl
```

```py
from agents.session import run
from somewhere_else import anything
```

```json
{"id": 1}
{"id": 2}
```

```yaml
agents: {default: rules}
```
"""


def test_a_true_page_passes(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(TRUE)
    kinds = ["sh", "text", "python", "text", "bash", "py", "json", "yaml"]
    assert run(page, tmp_path, {}) == kinds


@pytest.mark.parametrize(
    ("language", "text", "reason"),
    [
        ("sh", "false\ntrue", "page.md:2: exit code 1"),
        ("python", "1 / 0", "page.md:2: division by zero"),
        (
            "bash",
            "python -m agents.rsr x --output y --max-costs 5",
            "agents.rsr has no --max-costs",
        ),
        ("bash", "python -m benchmarks.finer build x --images y", "finer build has no --images"),
        ("bash", "python -m agents.rsrr x", "agents.rsrr --help"),
        ("bash", "grainwise rsrr x", "no command grainwise rsrr"),
        ("bash", "make demos", "no make target demos"),
        ("bash", "pip install 'grainwise[views]'", "no extra views"),
        ("py", "from agents.session import runs", "runs"),
        ("json", "{", "Expecting property name"),
        ("yaml", "agents: {default: rules}\nrun: {sed: 1}", "sed"),
        ("", "text", "a block of the language ''"),
    ],
)
def test_what_is_not_so_is_found(tmp_path: Path, language: str, text: str, reason: str) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"\n```{language}\n{text}\n```\n")
    with pytest.raises(AssertionError) as caught:
        run(page, tmp_path, {})
    assert reason in str(caught.value)


@pytest.mark.parametrize(("shown", "so"), [("12 images", True), ("13 images", False)])
def test_an_output_that_did_not_come_is_found(tmp_path: Path, shown: str, so: bool) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"```sh\necho 12 images\n```\n\nsays\n\n```text\n{shown}\n```\n")
    if so:
        run(page, tmp_path, {})
    else:
        with pytest.raises(AssertionError, match=r"page\.md:7: this line was not printed: 13"):
            run(page, tmp_path, {})
