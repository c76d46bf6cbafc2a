"""Replay: messages that were sent before, handed out once more, to whom and with what effect one chooses."""
