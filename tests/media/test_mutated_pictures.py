"""Pictures with flipped, cut and doubled bytes: each gets an answer, and none takes more memory than the worker has."""

import io
import random
import sys
from collections.abc import Iterator

import pytest
from PIL import Image

from rc_mcp.media.document_limits import LIMITS
from rc_mcp.media.protocol import PagePicture
from rc_mcp.media.worker.page import PageError
from rc_mcp.media.worker.pictures import Pictures
from tests import documents

_MUTANTS = 60


def sound(kind: str) -> bytes:
    lines = documents.page("Approved until May", "Visits: 8", size=(864, 550))
    if kind == "TIFF":
        return documents.tiff([lines] * 3)
    out = io.BytesIO()
    Image.merge("RGB", [lines.convert("L")] * 3).save(out, kind)
    return out.getvalue()


def mutants(data: bytes, seed: str) -> Iterator[bytes]:
    """Yield the data with some bytes flipped, cut out or doubled; most of the time among the first, the directories."""
    chance = random.Random(seed)  # noqa: S311  the same mutants in each run
    for _ in range(_MUTANTS):
        mutant = bytearray(data)
        for _ in range(chance.choice((1, 1, 4, 32))):
            start = chance.randrange(min(len(mutant), chance.choice((64, 512, len(data)))) or 1)
            end = start + chance.choice((1, 4, 200))
            match chance.choice(("flip", "flip", "cut", "double")):
                case "flip":
                    mutant[start : start + 1] = bytes([chance.randrange(256)])
                case "cut":
                    del mutant[start:end]
                case _:
                    mutant[start:start] = mutant[start:end]
            if not mutant:
                break
        yield bytes(mutant)
        yield bytes(mutant[: chance.randrange(len(data))])


def most_memory_bytes() -> int:
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


@pytest.mark.filterwarnings("ignore")  # Pillow warns of what it repairs
@pytest.mark.parametrize("kind", ["TIFF", "JPEG", "PNG", "GIF", "BMP", "WEBP"])
def test_a_mutated_picture_is_shown_or_refused_within_the_memory_of_the_worker(kind: str) -> None:
    shown = 0
    for mutant in mutants(sound(kind), kind):
        try:
            document = Pictures(io.BytesIO(mutant), f"image/{kind.lower()}")
            for number in range(1, min(document.count, 3) + 1):
                shown += isinstance(document.give(number, 1, "picture"), PagePicture)
        except (PageError, OSError, ValueError, TypeError, SyntaxError, LookupError, ArithmeticError, MemoryError):
            continue  # the worker reports them as a reason
    assert shown
    assert sys.platform == "win32" or most_memory_bytes() < LIMITS.memory_bytes
