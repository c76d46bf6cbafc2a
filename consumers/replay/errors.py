"""What a replay refuses to do, or could not do; the text is a sentence that says what to do next."""


class ReplayError(Exception):
    """A replay cannot be done as it was asked for, or did not come to its end."""


class ChoiceError(ReplayError):
    """What was chosen contradicts itself or what there is; trying again comes to the same."""


class EmptyRangeError(ReplayError):
    """Nothing lies in the range, or nothing of it was chosen."""
