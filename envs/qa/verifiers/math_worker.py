"""The worker of `math_process`, run as a script: lines of `[answer, gold]` in, `true`, `false` or `"error"` out."""

from __future__ import annotations

import contextlib
import json
import sys

MEMORY = 2 << 30
"""Bytes of address space that it may take, where the system can limit that."""


def same(answer: str, gold: str) -> bool:
    """Whether two formulas in LaTeX are equal; exactly, as far as sympy can tell."""
    from latex2sympy2_extended.latex2sympy2 import NormalizationConfig
    from math_verify import LatexExtractionConfig, parse, verify

    # `latex` has written it in one way already; to drop units would make `5m` five.
    as_written = NormalizationConfig(
        basic_latex=True, units=False, malformed_operators=False, nits=False, boxed="none", equations=False
    )
    config = [LatexExtractionConfig(normalization_config=as_written)]
    given, wanted = (
        parse(f"${text}$", config, fallback_mode="no_fallback", parsing_timeout=None) for text in (answer, gold)
    )
    return bool(given and wanted) and verify(
        wanted, given, float_rounding=12, numeric_precision=30, timeout_seconds=None
    )


def main() -> None:
    """Serve until the input ends."""
    with contextlib.suppress(ImportError, ValueError, OSError):
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    out = sys.stdout
    sys.stdout = sys.stderr  # what a library prints is no reply
    same("1", "1")  # loads everything
    print(json.dumps("ready"), file=out, flush=True)
    for line in sys.stdin:
        reply: object = "error"
        with contextlib.suppress(Exception):  # whatever a formula does to sympy, it is no answer
            reply = same(*json.loads(line))
        print(json.dumps(reply), file=out, flush=True)


if __name__ == "__main__":
    main()
