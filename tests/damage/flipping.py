"""Finished runs whose files lose a bit or their end, and what the commands make of them.

`python -m tests.damage.flipping --flips 1000 --truncations 200` prints a table; `make test-damage` runs it.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from tests.damage.arena import DAMAGED, DOCTOR, OTHER, READERS, Answer, Arena, Reader

FLIP, CUT = "flip", "cut"
# Of the commands that read a file, from harmless to what must not happen:
UNREAD, SAME, NOTED, REFUSED = "unread", "same", "noted", "refused"
UNCLEAR, SILENT, TRACEBACK = "UNCLEAR", "SILENT", "TRACEBACK"
READING = (UNREAD, SAME, NOTED, REFUSED, UNCLEAR, SILENT, TRACEBACK)
# Of `tuner doctor` and the same commands after it:
SOUND, MADE_AGAIN, NAMED, FOR_PEOPLE, WRONG = "sound", "made again", "named", "for people", "WRONG"
REPAIR = (SOUND, MADE_AGAIN, NAMED, FOR_PEOPLE, WRONG, TRACEBACK)
FAULTS = {UNCLEAR, SILENT, WRONG, TRACEBACK}

A_DAMAGE = re.compile(r"damage|cannot (be )?read|checksum|unreadable|corrupt", re.IGNORECASE)
A_LOSS = re.compile(r"(?<!nothing is )lost|again|without|missing|removed", re.IGNORECASE)


@dataclass(frozen=True)
class Damage:
    """One bit of a file that is the other way round, or a file that ends early.

    `at` is the number of the bit, or of the bytes that are left.
    """

    how: str
    file: str
    at: int

    def __str__(self) -> str:
        return f"{self.how}:{self.file}:{self.at}"

    @classmethod
    def parse(cls, text: str) -> Damage:
        how, file, at = text.split(":")
        return cls(how, file, int(at))

    @property
    def kind(self) -> str:
        """The file without the numbers of trials and seeds."""
        return re.sub(r"\d+", "*", self.file)

    def apply(self, path: Path) -> bytes:
        """Damage the file; return what it holds now."""
        contents = bytearray(path.read_bytes())
        if self.how == FLIP:
            contents[self.at // 8] ^= 1 << self.at % 8
        else:
            del contents[self.at :]
        path.write_bytes(contents)
        return bytes(contents)


def damages(files: Mapping[str, int], rng: random.Random, how: str, count: int) -> Iterator[Damage]:
    """Yield so many damages; half of them by size, half by file, so that small files get their share."""
    names, sizes = list(files), list(files.values())
    for number in range(count):
        file = rng.choices(names, sizes)[0] if number % 2 else rng.choice(names)
        yield Damage(how, file, rng.randrange(files[file] * 8 if how == FLIP else files[file]))


@dataclass
class Tally:
    """What came of the damages, by kind of file."""

    reading: dict[str, Counter[str]] = field(default_factory=dict)
    repair: dict[str, Counter[str]] = field(default_factory=dict)

    def add(self, damage: Damage, reading: str, repair: str) -> None:
        self.reading.setdefault(damage.kind, Counter())[reading] += 1
        self.repair.setdefault(damage.kind, Counter())[repair] += 1

    @property
    def faults(self) -> int:
        """Everything that must not happen."""
        counters = (*self.reading.values(), *self.repair.values())
        return sum(number for each in counters for outcome, number in each.items() if outcome in FAULTS)

    def table(self) -> str:
        """The tally as text: a line for each kind of file, the commands before those after the repair."""
        lines = [f"{'':<36}{_cells(READING)} | tuner doctor:{_cells(REPAIR)}"]
        for kind in (*sorted(self.reading), "all"):
            cells = [
                [str(_count(each, kind, name) or "") for name in names]
                for each, names in ((self.reading, READING), (self.repair, REPAIR))
            ]
            lines.append(f"{kind:<36}{_cells(cells[0])} | {'':<13}{_cells(cells[1])}")
        return "\n".join(lines)


def _count(counters: Mapping[str, Counter[str]], kind: str, outcome: str) -> int:
    chosen = counters.values() if kind == "all" else [counters[kind]]
    return sum(each[outcome] for each in chosen)


def _cells(texts: tuple[str, ...] | list[str]) -> str:
    return "".join(f"{text:>11}" for text in texts)


def read_outcome(answer: Answer, sound: Answer, file: str) -> str:
    """Return what a command made of a damaged file, against its answer before."""
    new = [line for line in answer.stderr.splitlines() if line not in sound.stderr.splitlines()]
    said = any(_names_damage(line, file) for line in new)
    if answer.failure or "Traceback" in answer.stderr:
        return TRACEBACK
    if answer.code:
        return REFUSED if said else UNCLEAR
    if (answer.stdout, answer.written) != (sound.stdout, sound.written):
        return NOTED if said and not _other_run_changed(answer, sound) else SILENT
    return NOTED if said else SAME


def _names_damage(text: str, file: str) -> bool:
    return bool(A_DAMAGE.search(text)) or Path(file).name in text


def _other_run_changed(answer: Answer, sound: Answer) -> bool:
    """True where a listing has another row, or none, for the run that is not damaged."""
    before, after = (_rows_of_other(each.stdout) for each in (sound, answer))
    return before != after


def _rows_of_other(text: str) -> list[Any]:
    try:
        rows = json.loads(text)
    except ValueError:
        return []
    return [row for row in rows if isinstance(row, dict) and row.get("run_id") == OTHER]


def repair_outcome(arena: Arena, damage: Damage, damaged: bytes, readers: list[Reader]) -> tuple[str, str]:
    """Repair the run and read it again; return what came of it, and the words of a fault."""
    doctor = arena.ask(DOCTOR)
    if doctor.failure or "Traceback" in doctor.stderr:
        return TRACEBACK, doctor.failure or doctor.stderr
    if doctor.code and not doctor.stdout.strip():
        clear = _names_damage(doctor.stderr, damage.file)
        return (NAMED, "") if clear else (WRONG, f"doctor: {doctor.stderr}")
    rows, before = (json.loads(each.stdout) for each in (doctor, arena.sound[DOCTOR]))
    said = [row for row in rows if row not in before]
    for reader in readers:
        answer, sound = arena.ask(reader), arena.sound[reader]
        outcome = read_outcome(answer, sound, damage.file)
        words = f"after doctor said {said or 'ok'}: {reader.text}: {_words(answer, sound)}"
        if outcome == TRACEBACK:
            return TRACEBACK, words
        unsaid = not said or not (
            any(row["status"] == "damaged" for row in said) or any(A_LOSS.search(row["note"]) for row in said)
        )
        if outcome != SAME and unsaid:
            return WRONG, words
    path = arena.run / damage.file
    if said:
        return NAMED, ""
    if not path.is_file() or path.read_bytes() != damaged:
        return MADE_AGAIN, ""
    return (SOUND if readers else FOR_PEOPLE), ""


def try_damage(arena: Arena, damage: Damage, tally: Tally) -> None:
    """Damage one file, run the commands that read it, the repair, and the commands again."""
    arena.restore()
    damaged = damage.apply(arena.run / damage.file)
    readers = [reader for reader in READERS if reader.uses(damage.file)]
    outcomes = {UNREAD: ""}
    for reader in readers:
        answer, sound = arena.ask(reader), arena.sound[reader]
        outcome = read_outcome(answer, sound, damage.file)
        outcomes.setdefault(outcome, f"{outcome}: {reader.text}: {_words(answer, sound)}")
    for outcome in FAULTS & outcomes.keys():
        _tell(damage, outcomes[outcome])
    arena.restore()
    damage.apply(arena.run / damage.file)
    repair, words = repair_outcome(arena, damage, damaged, readers)
    if repair in FAULTS:
        _tell(damage, f"{repair}: {words}")
    tally.add(damage, max(outcomes, key=READING.index), repair)


def _words(answer: Answer, sound: Answer) -> str:
    """Return what a faulty command said; where it said nothing, the first part of its data that is other."""
    for before, after in zip((sound.stdout, *sound.written), (answer.stdout, *answer.written), strict=False):
        if before != after and not answer.failure:
            start = next((i for i, (a, b) in enumerate(zip(before, after, strict=False)) if a != b), 0)
            here = slice(max(start - 30, 0), start + 30)
            return f"{after[here]!r}, before {before[here]!r}; {answer.stderr}"
    return answer.failure or answer.stderr


def _tell(damage: Damage, words: str) -> None:
    """Print a fault on one line: of a traceback its end."""
    lines = [line.strip() for line in words.splitlines() if line.strip()]
    shown = lines if len(lines) < 5 else [lines[0], *lines[-3:]]
    print(f"{damage}: {' / '.join(shown)[:600]}", file=sys.stderr, flush=True)


def damage_runs(folder: Path, flips: int, truncations: int, seed: int = 0, only: str = "*") -> Tally:
    """Damage the files of a run so many times, one at a time.

    Args:
        only: A pattern of the files to damage.
    """
    arena, rng, tally = Arena(folder), random.Random(seed), Tally()
    files = {file: size for file, size in arena.files.items() if fnmatch(file, only)}
    for how, count in ((FLIP, flips), (CUT, truncations)):
        for number, damage in enumerate(damages(files, rng, how, count), start=1):
            try_damage(arena, damage, tally)
            if number % 100 == 0:
                print(f"{number} of {count} {how}s\n{tally.table()}\n", file=sys.stderr, flush=True)
    assert arena.other_is_as_it_was(), f"run '{OTHER}', which nothing has damaged, is changed"
    return tally


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--flips", type=int, default=1000, help="how many bits to flip, one at a time")
    parser.add_argument("--truncations", type=int, default=200, help="how many files to cut short")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", default="*", help="pattern of the files to damage, e.g. run.sqlite")
    parser.add_argument("--arena", type=Path, help="folder of the runs, which is kept and used again")
    parser.add_argument(
        "--damage", action="append", help=f"this damage alone, e.g. flip:run.sqlite:100; the run is {DAMAGED}"
    )
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = (arguments.arena or Path(temporary)).absolute()
        if arguments.damage:
            arena, tally = Arena(folder), Tally()
            for text in arguments.damage:
                try_damage(arena, Damage.parse(text), tally)
        else:
            counts = arguments.flips, arguments.truncations
            tally = damage_runs(folder, *counts, seed=arguments.seed, only=arguments.only)
    print(tally.table())
    return int(tally.faults > 0)


if __name__ == "__main__":
    sys.exit(main())
