"""Additions to the text of `schemas/catalogue.toml`, which keep its comments and its order."""

import re

TOPIC = """
[topics."{topic}"]
owner = "{owner}"
aggregate = "{owner}"
partitions = 6
retention_hours = 168
messages = ["{message}"]
"""


def with_message(text: str, topic: str, owner: str, message: str) -> str:
    """Return the catalogue with a message on a topic of its owner, and with the topic."""
    table = f'[topics."{topic}"]\n'
    if table not in text:
        return text.rstrip("\n") + "\n" + TOPIC.format(topic=topic, owner=owner, message=message)
    before, _, after = text.partition(table)
    return before + table + _appended(after, "messages", message)


def with_consumer(text: str, topic: str, consumer: str, message: str) -> str:
    """Return the catalogue with a message among those that a consumer handles of a topic."""
    table = f'[topics."{topic}".consumers]\n'
    if table not in text:
        above = re.compile(rf'(\[topics\."{re.escape(topic)}"\]\n(?:[^\n]+\n)*)')
        return above.sub(
            lambda found: f'{found[1]}\n{table}{consumer} = ["{message}"]\n', text, count=1
        )
    before, _, after = text.partition(table)
    section = re.match(r"(?:[^\[\n][^\n]*\n)*", after)
    lines = section[0] if section else ""
    if re.search(rf"^{re.escape(consumer)} = ", lines, re.MULTILINE):
        return before + table + _appended(after, consumer, message)
    return before + table + lines + f'{consumer} = ["{message}"]\n' + after[len(lines) :]


def _appended(text: str, key: str, message: str) -> str:
    """Return text with a message at the end of the first list of a name."""
    return re.sub(
        rf"^({re.escape(key)} = \[[^\]]*?),?\s*\]",
        lambda found: f'{found[1]}{", " if found[1][-1] != "[" else ""}"{message}"]',
        text,
        count=1,
        flags=re.MULTILINE,
    )
