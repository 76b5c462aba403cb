"""Keep the translations complete: every string that users see, in every language that is shipped.

    python scripts/extract_strings.py            after a string changed: brings the .po files up to
                                                 date, lists what has no translation, writes the rest
    python scripts/extract_strings.py --check    fails when anything is missing or out of date
    python scripts/extract_strings.py --pot FILE writes the template for a new language

People edit the .po files. From them are made the .json that JupyterLab's server sends to the page,
and the .mo that Python's gettext reads.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from babel.messages.catalog import Catalog, Message
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po
from declared_strings import (
    Declared,
    benchmark_names,
    benchmark_strings,
    check_strings,
    metric_strings,
    schema_strings,
    shell_strings,
)
from package_messages import package_messages

ROOT = Path(__file__).parents[1]
FRONT_END = ROOT / "labextension"
DOMAIN = "jupyter_gpuperf"
LOCALES = ROOT / "jupyter_gpuperf" / "locale"
Key = tuple[str | None, str]


def main() -> None:
    """Run the action that the command line names."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--check", action="store_true", help="change nothing, fail on any drift")
    parser.add_argument("--pot", type=Path, help="write the template for a new language")
    options = parser.parse_args()
    template, problems = extract()
    if options.pot:
        options.pot.write_text(as_po(template))
    fresh: dict[Path, bytes] = {}
    for path in sorted(LOCALES.glob(f"*/LC_MESSAGES/{DOMAIN}.po")):
        kept = read_po(io.BytesIO(path.read_bytes()), locale=path.parts[-3], domain=DOMAIN)
        catalog = merged(template, kept)
        problems += wrong_in(catalog, path)
        if keys_of(kept) != keys_of(template):
            fresh[path] = as_po(catalog, path.parts[-3]).encode()
        as_page = as_json(catalog, path.parts[-3], plural_forms_in(path))
        fresh[path.with_suffix(".json")] = as_page.encode()
        fresh[path.with_suffix(".mo")] = as_mo(catalog, plural_forms_in(path))
    for path, content in fresh.items():
        if not path.exists() or path.read_bytes() != content:
            if options.check:
                problems.append(f"{path.relative_to(ROOT)} is out of date")
            else:
                path.write_bytes(content)
    if problems:
        advice = "\nRun: python scripts/extract_strings.py, and translate what it lists.\n"
        sys.exit("\n".join(problems) + (advice if options.check else "\n"))


# --- strings to translate -------------------------------------------------------------------------


def extract() -> tuple[Catalog, list[str]]:
    """Return every string, and the problems found while extracting."""
    front_end = front_end_strings()
    catalog = Catalog(project=DOMAIN, domain=DOMAIN, fuzzy=False)
    for each in front_end["messages"]:
        msgid = (each["msgid"], each["plural"]) if each["plural"] else each["msgid"]
        add(catalog, msgid, each["path"], each["context"])
    for declared in declared_strings(front_end):
        add(catalog, declared.msgid, declared.path, declared.context)
    for texts, path in package_messages():
        add(catalog, texts, path)
    problems = [
        f"{each['path']}: “{each['text']}” does not go through trans.__"
        for each in front_end["bare"]
    ]
    return catalog, problems


def front_end_strings() -> dict:
    """Return the strings that TypeScript's parser finds; see labextension/scripts/strings.mjs."""
    done = subprocess.run(
        ["node", "scripts/strings.mjs"],
        cwd=FRONT_END,
        input=json.dumps(benchmark_names()),
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "NODE_NO_WARNINGS": "1"},
    )
    if done.returncode != 0:
        sys.exit(f"scripts/strings.mjs failed: {done.stderr}")
    return json.loads(done.stdout)


def declared_strings(front_end: dict) -> Iterator[Declared]:
    """Yield the strings that are not passed to a translation call."""
    yield from metric_strings()
    yield from benchmark_strings()
    yield from check_strings()
    yield from schema_strings()
    yield from shell_strings()
    for words in front_end["words"]:
        yield Declared(words, "jupyter_gpuperf/benchmarks")


def add(
    catalog: Catalog, msgid: str | tuple[str, str], path: str, context: str | None = None
) -> None:
    """Add a string, or another place where it occurs."""
    if msgid:
        catalog.add(msgid, locations=[(path, None)], context=context)


# --- translations ---------------------------------------------------------------------------------


def merged(template: Catalog, kept: Catalog) -> Catalog:
    """Return the template merged with the existing translations."""
    catalog = Catalog(locale=kept.locale, project=DOMAIN, domain=DOMAIN, fuzzy=False)
    for message in template:
        if message.id:
            before = kept.get(first(message), message.context)
            translation = before.string if before and not before.fuzzy else ""
            if isinstance(translation, tuple) != message.pluralizable:
                translation = ""
            catalog.add(
                message.id, translation, locations=message.locations, context=message.context
            )
    return catalog


def wrong_in(catalog: Catalog, path: Path) -> list[str]:
    """Return the strings without a translation, or with different placeholders in it."""
    problems = []
    for message in catalog:
        if not message.id:
            continue
        for text in forms_of(message):
            wanted = places(message.id[-1] if message.pluralizable else first(message))
            if not text:
                problems.append(f"{path.parts[-3]}: not translated: {first(message)!r}")
            elif places(text) != wanted:
                problems.append(f"{path.parts[-3]}: {first(message)!r} has other places: {text!r}")
    return problems


def forms_of(message: Message) -> tuple[str, ...]:
    """Return the translation: one text, or one for each plural form of the language."""
    return message.string if isinstance(message.string, tuple) else (message.string,)


def first(message: Message) -> str:
    """Return the message; for a plural, its singular."""
    return message.id[0] if message.pluralizable else message.id


def places(text: str) -> set[str]:
    """Return the placeholders of a text: ``%1`` of the page, ``{name}`` of a message."""
    return set(re.findall(r"%\d+|\{\w+\}", text))


def keys_of(catalog: Catalog) -> set[Key]:
    """Return the keys that a catalogue translates."""
    return {(message.context, first(message)) for message in catalog if message.id}


# --- output ---------------------------------------------------------------------------------------


def as_po(catalog: Catalog, language: str = "") -> str:
    """Return the .po file, without dates and line numbers, which would change with every edit."""
    out = io.BytesIO()
    write_po(out, catalog, sort_output=False, omit_header=True, include_lineno=False, width=100)
    header = 'msgid ""\nmsgstr ""\n"Content-Type: text/plain; charset=utf-8\\n"\n'
    if language:
        header += f'"Language: {language}\\n"\n"Plural-Forms: {catalog.plural_forms}\\n"\n'
    return f"{header}\n{out.getvalue().decode()}"


def plural_forms_in(path: Path) -> str:
    """Return the plural rule in a .po file's header: babel's own rule may differ between versions."""
    (rule,) = re.findall(r'^"Plural-Forms: (.*)\\n"$', path.read_text(), flags=re.MULTILINE)
    return rule


def as_json(catalog: Catalog, language: str, plural_forms: str) -> str:
    """Return the JSON that JupyterLab's server sends to the page."""
    messages: dict[str, object] = {}
    for message in catalog:
        if message.id and all(forms_of(message)):
            context = f"{message.context}\x04" if message.context else ""
            # Lab accepts a plural only as a list of at least two, even in a language with one form.
            padding = [""] if message.pluralizable and len(forms_of(message)) == 1 else []
            messages[context + first(message)] = [*forms_of(message), *padding]
    header = {
        "domain": DOMAIN,
        "language": language.replace("_", "-"),
        "plural_forms": plural_forms,
    }
    document = {"": header, **dict(sorted(messages.items()))}
    return json.dumps(document, ensure_ascii=False, indent=1) + "\n"


def as_mo(catalog: Catalog, plural_forms: str) -> bytes:
    """Return the .mo file that Python's gettext reads."""
    compiled = _Compiled(locale=catalog.locale, domain=DOMAIN, fuzzy=False)
    compiled.plural_forms_header = plural_forms
    for message in catalog:
        if message.id and all(forms_of(message)):
            compiled.add(message.id, message.string, context=message.context)
    out = io.BytesIO()
    write_mo(out, compiled)
    return out.getvalue()


class _Compiled(Catalog):
    """A catalogue whose headers have no dates or versions, which would change the file with every build."""

    plural_forms_header = ""

    @property
    def mime_headers(self) -> list[tuple[str, str]]:
        return [
            ("Content-Type", "text/plain; charset=utf-8"),
            ("Plural-Forms", self.plural_forms_header),
        ]


if __name__ == "__main__":
    main()
