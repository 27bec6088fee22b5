"""The metrics of several gateway processes as one text, in Prometheus's format 0.0.4."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

BACKEND_HEALTHY = "sentinel_backend_healthy"


class _Family:
    def __init__(self) -> None:
        self.comments: dict[str, str] = {}
        self.samples: dict[str, str] = {}


def merged(texts: Sequence[str], healthy: Mapping[str, bool] | None = None) -> str:
    """Each family once, with the samples of all texts: one that several have is their sum.

    `healthy` are the verdicts on backends, in place of the gateways' own `sentinel_backend_healthy`.
    """
    families: dict[str, _Family] = {}
    verdicts = healthy or {}
    if verdicts:
        family = families[BACKEND_HEALTHY] = _Family()
        family.comments = {
            "HELP": f"# HELP {BACKEND_HEALTHY} Backend health status",
            "TYPE": f"# TYPE {BACKEND_HEALTHY} gauge",
        }
        family.samples = {f'{BACKEND_HEALTHY}{{backend="{name}"}}': str(int(one)) for name, one in verdicts.items()}
    judged = frozenset(families[BACKEND_HEALTHY].samples) if verdicts else frozenset[str]()
    for text in texts:
        name = ""
        for line in text.splitlines():
            if line.startswith(("# HELP ", "# TYPE ")):
                _, kind, name, *_ = line.split(" ", 3)
                families.setdefault(name, _Family()).comments.setdefault(kind, line)
            elif line and not line.startswith("#"):
                sample, _, value = line.rpartition(" ")
                if sample in judged:
                    continue
                if not name or not sample.startswith(name):
                    name = sample.partition("{")[0]
                family = families.setdefault(name, _Family())
                known = family.samples.get(sample)
                family.samples[sample] = value if known is None else _sum(known, value)
    lines = (
        line
        for _, family in sorted(families.items())
        for line in (*family.comments.values(), *(f"{sample} {value}" for sample, value in family.samples.items()))
    )
    return "".join(f"{line}\n" for line in lines)


def _sum(first: str, second: str) -> str:
    total = float(first) + float(second)
    return str(int(total)) if total.is_integer() else repr(total)
