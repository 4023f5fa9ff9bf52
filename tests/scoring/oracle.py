"""The readable reference: the assignment by networkx, the rest of spec 1.5-1.8 in plain Python.

Slow and obvious on purpose. It shares no code with `scoring`.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import networkx as nx

SCALE = 10**9


def assign(example: dict[str, Any]) -> dict[tuple[str, str], int]:
    """Flow on each compatible pair: one big constant makes quantity dominate score."""
    graph = nx.DiGraph()
    predictions = {p["id"]: p for p in example["predictions"]}
    entities = {g["id"]: g for g in example["entities"]}
    # A unit more must outweigh any reshuffling of scores, which changes the sum by at most this.
    total = sum(start(p) for p in predictions.values())
    big = SCALE * (total + 1) * 4
    for pair in edges(example):
        p, g = pair["prediction"], pair["entity"]
        score = edge_score(pair, entities[g])
        capacity = min(start(predictions[p]), start(entities[g]))
        graph.add_edge("source", ("p", p), capacity=start(predictions[p]), weight=0)
        graph.add_edge(("g", g), "sink", capacity=start(entities[g]), weight=0)
        graph.add_edge(("p", p), ("g", g), capacity=capacity, weight=-big - round(score * SCALE))
    if not graph:
        return {}
    # The way back for what is not matched costs nothing.
    graph.add_edge("source", "sink", capacity=total, weight=0)
    graph.nodes["source"]["demand"], graph.nodes["sink"]["demand"] = -total, total
    flow = nx.min_cost_flow(graph)
    return {
        (pair["prediction"], pair["entity"]): flow[("p", pair["prediction"])][("g", pair["entity"])]
        for pair in edges(example)
    }


def start(item: dict[str, Any]) -> int:
    """An uncertain quantity starts at one unit, whatever number stands beside it."""
    return 1 if item["uncertain"] else item["quantity"]


def edges(example: dict[str, Any]) -> list[dict[str, Any]]:
    return [pair for pair in example["judgements"] if pair["level"] >= 1]


def edge_score(pair: dict[str, Any], entity: dict[str, Any]) -> Fraction:
    return Fraction(pair["level"] - 1 + Fraction(pair["attribute_score"])) / int(entity["depth"])


def objective(example: dict[str, Any], flow: dict[tuple[str, str], int]) -> tuple[int, float]:
    """(matched quantity, total score) of an assignment."""
    entities = {g["id"]: g for g in example["entities"]}
    scores = {
        (pair["prediction"], pair["entity"]): edge_score(pair, entities[pair["entity"]])
        for pair in edges(example)
    }
    return sum(flow.values()), float(sum(scores[key] * units for key, units in flow.items()))


def score(example: dict[str, Any], flow: dict[tuple[str, str], int]) -> dict[str, Any]:
    """Spec 1.7 and 1.8 on a given assignment."""
    flow = dict(flow)
    predictions = {p["id"]: {**p, "quantity": start(p)} for p in example["predictions"]}
    entities = {g["id"]: {**g, "quantity": start(g)} for g in example["entities"]}
    scores = {}
    for pair in edges(example):
        key = (pair["prediction"], pair["entity"])
        scores[key] = (edge_score(pair, entities[pair["entity"]]), pair["attribute_score"])
    best_first = sorted(scores, key=lambda key: (-float(scores[key][0]), -scores[key][1], key))
    for p, g in best_first:
        residual = predictions[p]["quantity"] - sum(u for k, u in flow.items() if k[0] == p)
        if residual > 0 and entities[g]["uncertain"]:
            flow[p, g] += residual
            taken = sum(u for k, u in flow.items() if k[1] == g)
            entities[g]["quantity"] = max(entities[g]["quantity"], taken)
    for p, g in best_first:
        residual = entities[g]["quantity"] - sum(u for k, u in flow.items() if k[1] == g)
        if residual > 0 and predictions[p]["uncertain"]:
            flow[p, g] += residual
            given = sum(u for k, u in flow.items() if k[0] == p)
            predictions[p]["quantity"] = max(predictions[p]["quantity"], given)
    matched = granularity = Fraction(0)
    for (p, g), units in flow.items():
        half = predictions[p]["uncertain"] and not entities[g]["uncertain"]
        credit = Fraction(1, 2) if half else Fraction(1)
        matched += units * credit
        granularity += units * credit * scores[p, g][0]
    predicted = _count(predictions, {key[0] for key in scores})
    return {
        "predicted": float(predicted),
        "truth": float(_count(entities, {key[1] for key in scores})),
        "matched": float(matched),
        "granularity": float(granularity),
        "reliable": sum(flow.values()) == predicted,
    }


def _count(items: dict[str, dict[str, Any]], entered: set[str]) -> Fraction:
    certain = [item["quantity"] for item in items.values() if not item["uncertain"]]
    mean = Fraction(sum(certain), len(certain)) if certain else Fraction(1)
    return sum(
        (
            mean if item["uncertain"] and name not in entered else Fraction(item["quantity"])
            for name, item in items.items()
        ),
        Fraction(0),
    )
