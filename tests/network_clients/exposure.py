"""What of an error could meet somebody's eyes."""

from __future__ import annotations

import traceback


def shown(error: BaseException | None) -> str:
    """Everything of an error that any log, page or tracker could show, down its whole chain."""
    if error is None:
        return ""
    own = [str(error), repr(error), repr(error.args), repr(vars(error))]
    own += traceback.format_exception(error)
    return "\n".join(own) + shown(error.__cause__) + shown(error.__context__)
