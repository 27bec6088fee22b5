"""The figures of README, docs/ and tests/README.md: taken here, never by hand, and written to
`docs/measured.json`.

    python -m lab.benchmarks bench       every figure but the cold one, on the running lab (`make bench`)
    python -m lab.benchmarks monitoring  of those, the alerts' times and the memory of the monitoring
    python -m lab.benchmarks retention   calls while a million rows of the audit log go, its size over months (minutes)
    python -m lab.benchmarks cold        a fresh clone with empty caches up to the finished cutover (minutes)
    python -m lab.benchmarks security    the findings of tests/lab/security, with every secret rotated (minutes)
    python -m lab.benchmarks outputs     stdout of make up, verify and status; after make down a whole cutover's
    python -m lab.benchmarks processes   one slow tool beside others, memory of gateway processes; needs no lab
    python -m lab.benchmarks tests       the time of make test, by tier and story, and its slowest tests (half an hour)
    python -m lab.benchmarks render      the pages again, from the figures on file

Owns: taking figures, and rendering them between the marks in the pages that show them.
Deliberately does not: judge them; the tests have limits of their own.
"""

from lab.benchmarks.pages import FIGURES, PAGES, render

__all__ = ["FIGURES", "PAGES", "render"]
