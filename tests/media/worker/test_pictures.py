"""Pictures and pages of a fax: their proportions, and what can be seen of damaged ones."""

import base64
import io
import struct
import zlib

import pytest
from PIL import Image, ImageChops, ImageDraw

from rc_mcp.media.document_limits import LIMITS
from rc_mcp.media.protocol import PagePicture
from rc_mcp.media.worker.page import PageError
from rc_mcp.media.worker.pictures import Pictures
from rc_mcp.media.worker.tiff import Tiff
from tests import documents

TIFF = "image/tiff"
X_RESOLUTION, Y_RESOLUTION, RESOLUTION_UNIT, ORIENTATION = 282, 283, 296, 274
LINES = [f"Line {n} of the referral" for n in range(1, 19)]


def given(data: bytes, kind: str, number: int = 1, part: int = 1) -> PagePicture:
    found = Pictures(io.BytesIO(data), kind).give(number, part, "picture")
    assert isinstance(found, PagePicture)
    return found


def image(found: PagePicture) -> Image.Image:
    return Image.open(io.BytesIO(base64.b64decode(found.base64)))


def circle(width: int, height: int) -> Image.Image:
    """A page with a circle, if its sides are in proportion."""
    page = Image.new("1", (width, height), 1)
    ImageDraw.Draw(page).ellipse((width // 4, height // 4, width * 3 // 4, height * 3 // 4), fill=0)
    return page


def saved(page: Image.Image, kind: str = "TIFF", **how: object) -> bytes:
    out = io.BytesIO()
    page.save(out, kind, **({"compression": "group4"} if kind == "TIFF" else {}), **how)
    return out.getvalue()


def with_resolution(page: Image.Image, across: float, down: float, unit: int | None) -> bytes:
    tags = {X_RESOLUTION: across, Y_RESOLUTION: down, **({RESOLUTION_UNIT: unit} if unit else {})}
    return saved(page, tiffinfo=tags)


def proportions(data: bytes, kind: str = TIFF, number: int = 1) -> float:
    width, height = image(given(data, kind, number)).size
    return width / height


# Proportions


@pytest.mark.parametrize("unit", [None, 1, 2, 3])
@pytest.mark.parametrize(("across", "down"), [(204, 98), (80.3, 38.5), (204, 391)])
def test_dots_of_a_fax_are_made_square_whatever_their_unit(across: float, down: float, unit: int | None) -> None:
    page = circle(1728, round(2200 * down / across))
    assert proportions(with_resolution(page, across, down, unit)) == pytest.approx(1728 / 2200, rel=0.01)


@pytest.mark.parametrize("columns", [1728, 2048, 2432])
@pytest.mark.parametrize(("sheet", "lines_per_inch"), [(1.41, 98), (1.29, 98), (1.41, 196)])
def test_a_fax_without_resolution_is_taken_for_a_sheet(columns: int, sheet: float, lines_per_inch: int) -> None:
    page = circle(columns, round(columns * sheet * lines_per_inch / 204))
    assert proportions(saved(page)) == pytest.approx(1 / sheet, rel=0.05)


@pytest.mark.parametrize("size", [(1700, 1100), (1728, 1100)])
def test_a_picture_that_is_no_fax_keeps_its_proportions(size: tuple[int, int]) -> None:
    photograph = Image.radial_gradient("L").resize(size)
    one_bit = circle(1700, 1100)
    assert proportions(saved(photograph, "PNG"), "image/png") == pytest.approx(size[0] / size[1], rel=0.01)
    assert proportions(saved(one_bit)) == pytest.approx(1700 / 1100, rel=0.01)


def test_each_page_has_its_own_resolution() -> None:
    out = io.BytesIO()
    standard, fine = circle(1600, 1000), circle(1600, 1000)
    fine.encoderinfo = {"dpi": (200, 200)}
    standard.save(out, "TIFF", compression="group4", dpi=(204, 98), save_all=True, append_images=[fine])
    assert proportions(out.getvalue(), number=1) == pytest.approx(1600 * 98 / 204 / 1000, rel=0.01)
    assert proportions(out.getvalue(), number=2) == pytest.approx(1.6, rel=0.01)


@pytest.mark.parametrize("unit", [0, 1])
def test_the_resolution_of_a_jpeg_is_read_from_its_header_in_any_unit(unit: int) -> None:
    data = bytearray(documents.jpeg(circle(1728, 1078)))
    start = data.index(b"JFIF\0") + 5
    data[start + 2 : start + 7] = struct.pack(">BHH", unit, 204, 98)
    assert proportions(bytes(data), "image/jpeg") == pytest.approx(1728 / (1078 * 204 / 98), rel=0.01)


@pytest.mark.parametrize("unit", [1, 2, 3])
def test_the_resolution_of_a_jpeg_is_read_from_its_exif(unit: int) -> None:
    exif = Image.Exif()
    exif[X_RESOLUTION], exif[Y_RESOLUTION], exif[RESOLUTION_UNIT] = 204.0, 98.0, unit
    data = saved(circle(1728, 1078).convert("L"), "JPEG", exif=exif)
    assert proportions(data, "image/jpeg") == pytest.approx(1728 / (1078 * 204 / 98), rel=0.01)


def test_the_resolution_of_a_png_is_read_in_any_unit() -> None:
    data = saved(circle(1000, 500), "PNG", dpi=(204, 98))
    place = data.index(b"pHYs")
    chunk = data[place : place + 12] + b"\0"
    bare = data[:place] + chunk + struct.pack(">I", zlib.crc32(chunk)) + data[place + 17 :]
    for one in (data, bare):
        assert proportions(one, "image/png") == pytest.approx(1000 / (500 * 204 / 98), rel=0.01)


@pytest.mark.parametrize("values", [(0, 0), (0, 98), (1, 1e9)])
def test_an_impossible_resolution_is_none(values: tuple[float, float]) -> None:
    assert proportions(with_resolution(circle(1700, 1100), *values, 2)) == pytest.approx(1700 / 1100, rel=0.01)


@pytest.mark.parametrize(
    ("across", "down"), [(204, 98), (204, 196), (204, 391), (200, 100), (240, 204), (200, 180), (300, 360), (96, 100)]
)
def test_a_circle_is_round_within_5_percent_in_any_resolution(across: int, down: int) -> None:
    page = Image.new("L", (8 * across, 11 * down), 255)
    ImageDraw.Draw(page).ellipse((2 * across, 2 * down, 6 * across, 6 * down), fill=0)
    box = ImageChops.invert(
        image(given(with_resolution(page.convert("1"), across, down, 2), TIFF)).convert("L")
    ).getbbox()
    assert box
    assert (box[2] - box[0]) / (box[3] - box[1]) == pytest.approx(1, abs=0.05)


@pytest.mark.parametrize("orientation", [6, 8])
def test_a_fax_on_its_side_without_resolution_is_taken_for_a_sheet_too(orientation: int) -> None:
    data = saved(circle(1728, 1078), tiffinfo={ORIENTATION: orientation})
    assert proportions(data) == pytest.approx(1078 * 204 / 98 / 1728, rel=0.01)


@pytest.mark.parametrize("down", [98, 196])
def test_a_long_page_comes_in_parts_as_sharp_as_a_sheet(down: int) -> None:
    data = with_resolution(circle(1728, 10_000 * down // 196), 204, down, 2)
    assert Pictures(io.BytesIO(data), TIFF).parts(1) == 5
    parts = [image(given(data, TIFF, part=part)) for part in range(1, 6)]
    assert all(max(part.size) == LIMITS.long_side_px and part.width > 1000 for part in parts)


# Damage


def fax_with_directory_first(page: Image.Image, strips: int, *, compression: int = 4) -> bytes:
    """Return a TIFF that begins with its directory, as many fax servers write it."""
    rows = -(-page.height // strips)
    data: list[bytes] = []
    for top in range(0, page.height, rows):
        strip = saved(page.crop((0, top, page.width, min(page.height, top + rows))), tiffinfo={278: rows})
        tags = Tiff(strip).pages[0].tags
        data.append(strip[tags[273][0] : tags[273][0] + tags[279][0]])
    entries = [(256, 1, page.width), (257, 1, page.height), (258, 1, 1), (259, 1, compression), (262, 1, 1),
               (273, strips, 0), (277, 1, 1), (278, 1, rows), (279, strips, 0)]  # fmt: skip
    numbers = 8 + 2 + 12 * len(entries) + 4
    offsets = [numbers + 8 * strips + sum(map(len, data[:n])) for n in range(strips)]
    values = {273: numbers if strips > 1 else offsets[0], 279: numbers + 4 * strips if strips > 1 else len(data[0])}
    out = b"II*\0" + struct.pack("<IH", 8, len(entries))
    out += b"".join(struct.pack("<HHII", tag, 4, count, values.get(tag, value)) for tag, count, value in entries)
    return out + bytes(4) + struct.pack(f"<{2 * strips}I", *offsets, *map(len, data)) + b"".join(data)


def inks(picture: Image.Image) -> list[int]:
    """Return how dark each tenth of the picture is, from the top, in percent."""
    gray = picture.convert("L").resize((1, 10), Image.Resampling.BOX)
    return [100 - round(value / 2.55) for value in gray.tobytes()]


@pytest.mark.parametrize("strips", [1, 11])
@pytest.mark.parametrize("share", [0.3, 0.5, 0.9])
def test_the_upper_part_of_a_fax_that_is_cut_off_is_shown_and_the_rest_said_to_be_missing(
    strips: int, share: float
) -> None:
    page = documents.page(*LINES, size=(1728, 2200))
    whole = fax_with_directory_first(page, strips)
    assert given(whole, TIFF).notes == []
    found = given(whole[: int(len(whole) * share)], TIFF)
    assert found.notes == ["incomplete"]
    width, height = image(found).size
    assert share - 0.2 < height / width * 1728 / 2200 < share + 0.15
    assert max(inks(image(found))) < 30


def test_bad_lines_within_a_fax_are_noticed() -> None:
    data = bytearray(fax_with_directory_first(documents.page(*LINES, size=(1728, 2200)), 11))
    middle = len(data) // 2
    data[middle : middle + 20] = b"\x13\x57" * 10
    assert given(bytes(data), TIFF).notes == ["incomplete"]


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "GIF", "BMP"])
@pytest.mark.parametrize("share", [0.4, 0.8])
def test_the_upper_part_of_a_picture_that_is_cut_off_is_shown_and_the_rest_said_to_be_missing(
    kind: str, share: float
) -> None:
    noise = Image.effect_noise((400, 500), 90)
    data = saved(noise, kind)
    found = given(data[: int(len(data) * share)], f"image/{kind.lower()}")
    assert found.notes == ["incomplete"]
    assert given(data, f"image/{kind.lower()}").notes == []
    if kind != "BMP":  # its first row is the lowest
        assert image(found).height < 500


def test_a_picture_without_any_rows_is_damaged() -> None:
    data = saved(Image.effect_noise((400, 500), 90), "PNG")
    with pytest.raises(PageError) as failed:
        given(data[: data.index(b"IDAT") + 12], "image/png")
    assert failed.value.reason == "damaged"


@pytest.mark.parametrize("compression", [9, 10, 34661, 34712, 65000])
def test_a_compression_without_a_decoder_is_not_called_damage(compression: int) -> None:
    data = fax_with_directory_first(documents.page("x"), 1, compression=compression)
    with pytest.raises(PageError) as failed:
        given(data, TIFF)
    assert failed.value.reason == "no_decoder"


def test_pages_with_and_without_a_decoder_are_told_apart() -> None:
    fax = bytearray(documents.tiff([documents.page("First"), documents.page("Second")]))
    place = fax.rindex(struct.pack("<HHI", 259, 3, 1)) + 8
    fax[place : place + 2] = struct.pack("<H", 34661)
    assert image(given(bytes(fax), TIFF, 1)).width == LIMITS.long_side_px
    with pytest.raises(PageError) as failed:
        given(bytes(fax), TIFF, 2)
    assert failed.value.reason == "no_decoder"


def test_the_pages_of_a_big_tiff_are_found() -> None:
    out = io.BytesIO()
    documents.page("First").save(
        out, "TIFF", big_tiff=True, save_all=True, append_images=[documents.page("Second")], compression="group4"
    )
    assert Pictures(out, TIFF).count == 2
    assert given(out.getvalue(), TIFF, 2).notes == []


# Size


def test_a_halftone_is_shown_in_grays_and_a_page_of_text_as_a_png() -> None:
    photograph, text = (
        given(documents.tiff([p]), TIFF) for p in (documents.halftone(), documents.page(*LINES, size=(1728, 2200)))
    )
    assert (photograph.mime_type, image(photograph).mode) == ("image/jpeg", "L")
    assert text.mime_type == "image/png"
    assert len(photograph.base64) < LIMITS.base64_bytes / 2


def test_even_noise_fits_into_an_answer() -> None:
    noise = Image.merge("RGB", [Image.effect_noise((1568, 1568), 255).rotate(90 * n) for n in range(3)])
    assert len(given(saved(noise, "PNG"), "image/png").base64) <= LIMITS.base64_bytes
