"""Appends outcomes, continuing where a killed one stopped, and says each number once stored."""

from __future__ import annotations

import sys
from itertools import count
from pathlib import Path

from runtime.store import Outcome, OutcomeStore

with OutcomeStore(Path(sys.argv[1]), {"agent": "writer"}) as store:
    for number in count():
        name = str(number)
        if not store.done(name):
            store.append(Outcome(id=name, index=number, value={"text": name * 1000}))
            print(number, flush=True)
