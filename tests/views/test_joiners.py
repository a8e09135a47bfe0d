"""Invisible characters that a language or an emoji needs stay; all others are removed."""

import unicodedata

import pytest

from rc_mcp.emulator import Draft, Party
from rc_mcp.views.tokens import clip
from rc_mcp.views.untrusted_text import as_written, clean, clean_lines, fitting
from tests.desk import Desk, Era, call

NEEDED = {
    "Persian": "می\u200cخواهم کتاب\u200cها را ببینم",
    "Urdu": "خوب\u200cصورت",
    "Arabic with marks": "بِ\u200cسم",
    "Persian year": "۱۴۰۳\u200cم",
    "Hindi": "क्\u200dष और क्\u200cष",
    "Marathi at the end of a word": "वाङ्\u200cमय दर्\u200d",
    "Bengali": "র\u200d্যাব উদ্\u200cঘাটন",
    "Gujarati": "ક્\u200dષ",
    "Oriya": "ଶ\u200dକ",
    "Tamil": "க்\u200cஷ",
    "Telugu": "రాజ్\u200cకుమార్",
    "Kannada": "ರ\u200d್ಯ",
    "old Malayalam": "അവന്\u200d വന്നു",
    "Sinhala": "ශ්\u200dරී",
    "Khmer": "ខ្ញុំ\u200bស្រលាញ់\u200bអ្នក",
    "Thai": "ภาษา\u200bไทย",
    "Lao": "ພາສາ\u200bລາວ",
    "Burmese": "မြန်မာ\u200bစာ",
    "Balinese": "ᬓ᭄\u200cᬓ",
    "Javanese": "ꦏ꧀\u200cꦏ",
    "Mongolian": "ᠮ\u200dᠠ",
    "Adlam": "𞤀\u200c𞤁",
    "Newa": "\U0001140e\U00011442\u200d\U0001140e",
    "a profession": "👩\u200d🔧 and 👩🏽\u200d⚕\ufe0f",
    "a family": "👨\u200d👩\u200d👧\u200d👦",
    "a flag": "🏳\ufe0f\u200d🌈",
    "a burning heart": "❤\ufe0f\u200d🔥",
}

NOT_NEEDED = {
    "pass\u200bword": "password",
    "in\u200cvis\u200dible": "invisible",
    "Паро\u200bль": "Пароль",
    "שלום\u200dעולם": "שלוםעולם",
    "密\u200b码": "密码",
    "1\u200b2": "12",
    "سلام\u200c": "سلام",
    "\u200cسلام": "سلام",
    "سلام \u200c دوست": "سلام دوست",
    "سلام\u200cx": "سلامx",
    "سلام\u200bدوست": "سلامدوست",
    "ภาษา\u200dไทย": "ภาษาไทย",
    "ภาษา\u200b!": "ภาษา!",
    "क\u200bष": "कष",
    "می\u200c\u200d\u200cخواهم": "می\u200cخواهم",
    "می\u202e\u200cخواهم\u2066": "می\u200cخواهم",
    "ok\ufe0f ❤\ufe0f": "ok ❤",
    "👩\u200d": "👩",
    "👩\u200dx": "👩x",
    "👩\u200d\u200d🔧": "👩🔧",
    "\u200d\u200c\u200b\ufe0f": "",
    "a\u200d\u06dd\u200db": "a\u06ddb",
    "a\U000e0041\U000e0042\U000e0100\u206a\u2062\ufff9\U0001d173b": "ab",
    "ꦏ\u200bꦏ": "ꦏꦏ",
}


@pytest.mark.parametrize("language", NEEDED)
def test_the_joiners_of_a_language_stay(language: str) -> None:
    text = NEEDED[language]
    assert clean(text, 100) == clean_lines(text, 100) == as_written(text) == text


@pytest.mark.parametrize("sign", "\u0600\u0605\u06dd\u070f\u08e2\U000110bd")
def test_signs_around_numbers_are_drawn_and_stay_but_not_in_a_question(sign: str) -> None:
    text = f"الآية {sign}١٢"
    assert clean(text, 100) == clean_lines(text, 100) == as_written(text) == text
    assert fitting(text, 100) == "الآية ١٢"


@pytest.mark.parametrize("text", NOT_NEEDED)
def test_joiners_that_spell_nothing_are_removed(text: str) -> None:
    assert clean(text, 100) == NOT_NEEDED[text]


@pytest.mark.parametrize("text", NEEDED.values())
def test_a_question_has_no_joiners_because_its_width_must_be_known(text: str) -> None:
    assert not {unicodedata.category(c) for c in fitting(text, 100)} & {"Cf"}


@pytest.mark.parametrize("chars", range(2, 30))
def test_a_cut_text_does_not_end_in_a_joiner(chars: int) -> None:
    for text in NEEDED.values():
        for cut in (clean(text, chars), clean_lines(text, chars), clip(text, chars), fitting(text, chars)):
            assert not cut.endswith("…") or unicodedata.category(cut[:-1][-1:] or "x") != "Cf"


def test_marks_do_not_pile_up_over_joiners() -> None:
    assert clean("ب" + "\u064e\u200c" * 50 + "ت", 200).count("\u064e") == 4


def test_a_long_text_of_joiners_takes_no_time_for_each_from_the_beginning() -> None:
    text = "می\u200cخواهم " * 100_000
    assert as_written(text) == text


@pytest.mark.anyio
async def test_a_text_comes_out_as_it_was_spelled(desk: Desk, era: Era) -> None:
    written = {
        str(desk.emulator.store.add(Draft(type="SMS", text=t, sender=Party(name=t)))["id"]): t for t in NEEDED.values()
    }
    async with desk.client(era) as client:
        messages = (await call(client, "read_message", message_id=list(written)))["messages"]
    assert {m["id"]: m["untrusted"]["text"] for m in messages} == written
    assert {m["id"]: m["untrusted"]["sender"] for m in messages} == written
