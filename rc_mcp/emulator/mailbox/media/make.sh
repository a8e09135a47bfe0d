#!/bin/sh
# Make every file of this folder again: ./make.sh [recordings | papers]
# Needs flite, espeak-ng, sox, lame (Debian packages), and Python 3.11 with venv for the papers. See README.md.
set -eu
cd "$(dirname "$0")"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# The words of a recording are its transcript in office.toml; telephone numbers are read digit by digit.
words() {
    python3 - "$1" <<'PY'
import re, sys, tomllib
office = tomllib.load(open("../office.toml", "rb"))
[text, *_] = [m["transcript"] for m in office["message"] if m["type"] == "VoiceMail" and sys.argv[1] in m["media"]]
print(re.sub(r"\d{3}-\d{3}-\d{4}", lambda n: ", ".join(" ".join(part) for part in n[0].split("-")), text))
PY
}

# Turn a raw voice into a telephone call, with the pitch and tempo of one speaker and a line's band.
kbps=16
call() { # file, raw wav, pitch in cents, tempo
    sox -R -v 0.5 "$2" -c 1 -r 11025 "$work/line.wav" pitch "$3" tempo -s "$4" highpass 180 lowpass 3600 pad 0.3 0.4 norm -3
    lame --quiet --noreplaygain -t -m m -b $kbps -q 0 --resample 11.025 "$work/line.wav" "$1"
}

flite_call() { # file, voice, pitch, tempo
    words "$1" > "$work/words.txt"
    flite -voice "$2" -f "$work/words.txt" -o "$work/raw.wav"
    call "$1" "$work/raw.wav" "$3" "$4"
}

espeak_call() { # file, voice, words per minute, pitch 0-99, the words if office.toml has none
    if [ $# -gt 4 ]; then echo "$5" > "$work/words.txt"; else words "$1" > "$work/words.txt"; fi
    espeak-ng -v "$2" -s "$3" -p "$4" -g 2 -f "$work/words.txt" -w "$work/raw.wav"
    call "$1" "$work/raw.wav" 0 1
}

recordings() {
    # Rosa of the clinic calls three times; the others once each.
    flite_call clinic-referral-sent.mp3 slt 0 1.08
    flite_call clinic-correction.mp3 slt 0 1.08
    flite_call clinic-luis-report.mp3 slt 0 1.12
    flite_call harold-worried.mp3 rms -230 1.09
    flite_call velmont-backorder.mp3 rms 0 1.1
    flite_call kenji-reschedule.mp3 rms 220 1.08
    flite_call kestwick-water.mp3 awb 0 1.1
    flite_call ingrid-receipt.mp3 slt 160 1.02
    flite_call chloe-report.mp3 slt -110 1.08
    espeak_call new-client.mp3 en-gb-x-rp+f3 160 58 "Hello, my name is Ana Petrovic. My back hurts since I moved house, and I would like a first visit, best in the morning. Please call me back."
    # The distortion of a bad line.
    kbps=8
    flite_call wrong-number.mp3 kal16 -250 1.02
    espeak_call robocall.mp3 en-us+f4 165 45
    espeak_call carmen-spanish.mp3 es-419+f2 150 50 "Hola, buenos días. Soy Carmen Ruiz. Tengo cita mañana a las nueve, pero no puedo venir por la mañana. ¿Puede ser por la tarde? Muchas gracias."
    # No speech: line noise, and the click of hanging up. As WAV, which most recorded voicemails are.
    python3 - <<'PYTHON'
import random, wave
chance, rate, seconds = random.Random(5), 8000, 5
samples = [128 + chance.randint(-2, 2) for _ in range(rate * seconds)]
for at in range(240):
    samples[int(4.2 * rate) + at] = 128 + int(chance.uniform(-64, 64) * (1 - at / 240))
with wave.open("hang-up.wav", "wb") as file:
    file.setparams((1, 1, rate, 0, "NONE", ""))
    file.writeframes(bytes(samples))
PYTHON
}

papers() {
    python3 -m venv "$work/venv"
    "$work/venv/bin/pip" --quiet install fonttools==4.68.0 fpdf2==2.8.9 numpy==2.4.6 pillow==13.0.0
    "$work/venv/bin/python" - "$work" <<'PY'
import datetime, math, random, sys
import fontTools.subset, fpdf, numpy
from fpdf.fonts import FontFace
from PIL import Image, ImageDraw, ImageFilter, ImageFont

WORK = sys.argv[1]
NO_DATE = datetime.datetime(2000, 1, 1, tzinfo=datetime.UTC)  # the same bytes on every run
FONTS = "/usr/share/fonts/truetype/liberation/Liberation"
HOME = "Pellworth Physiotherapy, 61 Pellworth Street, Suite 2, Portland, OR. Phone 503-555-0110"
CLINIC = "Quillmere Family Clinic"
CLINIC_LINE = "14 Quillmere Row, Portland, OR. Phone 503-555-0121. Fax 503-555-0122"


def ring(turns: int, step: int) -> list[tuple[float, float]]:
    angles = [2 * math.pi * step * turn / turns for turn in range(turns + 1)]
    return [(math.sin(a), -math.cos(a)) for a in angles]


MARKS = {  # the mark next to each name: strokes around the origin
    CLINIC: [ring(48, 1), [(0, -0.6), (0, 0.6)], [(-0.6, 0), (0.6, 0)]],
    "Northlight Benefits": [ring(5, 2)],
    "Velmont Medical Supply": [[(-1, -0.8), (0, 0.9), (1, -0.8)], [(-0.5, -0.8), (0, 0.1), (0.5, -0.8)]],
}


# -- Faxes as PDF: embedded fonts, except in the junk fax, so that text looks the same everywhere ---------------------

def small_font(name: str) -> str:
    """Write a font without hints for screens, which would be most of each file."""
    subset = ["--unicodes=U+20-7E", "--no-hinting", "--layout-features=", "--drop-tables+=FFTM", f"--output-file={WORK}/{name}.ttf"]
    fontTools.subset.main([f"{FONTS}{name}.ttf", *subset])
    return f"{WORK}/{name}.ttf"


class Paper(fpdf.FPDF):
    def __init__(self, font: str):
        super().__init__(format="letter", unit="mm")
        self.set_creation_date(NO_DATE)
        self.set_margins(22, 18)
        self.add_font("text", "", small_font(f"{font}-Regular"))
        self.add_font("text", "B", small_font(f"{font}-Bold"))

    def letterhead(self, name: str, line: str):
        self.add_page()
        self.set_line_width(0.8)
        for stroke in MARKS[name]:
            self.polyline([(30 + 8 * x, 26 + 8 * y) for x, y in stroke])
        self.set_xy(42, 19)
        self.set_font("text", "B", 18)
        self.cell(0, 9, name, new_x="LMARGIN", new_y="NEXT")
        self.set_x(42)
        self.set_font("text", "", 9)
        self.cell(0, 5, line, new_x="LMARGIN", new_y="NEXT")
        self.line(22, 37, 194, 37)
        self.set_y(44)

    def say(self, text: str, size: float = 11.5, bold: bool = False, gap: float = 3):
        self.set_font("text", "B" if bold else "", size)
        self.multi_cell(0, size * 0.47, text, align="L", new_x="LMARGIN", new_y="NEXT")
        self.ln(gap)

    def rows(self, rows: list[tuple[str, ...]], widths: tuple[int, ...], align: tuple[str, ...], head: bool = True):
        self.set_font("text", "", 11)
        self.set_line_width(0.25)
        with self.table(col_widths=widths, text_align=align, line_height=7, headings_style=FontFace(emphasis="BOLD" if head else "")) as table:
            for row in rows:
                table.row(row)
        self.ln(4)

    def signed(self, name: str, seed: int):
        x, y = self.get_x() + 2, self.get_y() + 8
        self.set_line_width(0.5)
        self.polyline([(x + dx / 4, y + dy / 4) for dx, dy in scribble(seed)])
        self.set_y(y + 8)
        self.say(name)


def scribble(seed: int) -> list[tuple[float, float]]:
    """A signature: loops that lose their height towards the end."""
    rng = random.Random(seed)
    a, b = rng.uniform(1.5, 2.5), rng.uniform(0.6, 1.4)
    return [
        (1.7 * t + 9 * math.sin(a * t / 5), (22 - t / 6) * math.sin(t / 3.1) * math.cos(b * t / 7) - t / 14)
        for t in range(110)
    ]


ORDERED = [
    ("Item", "Quantity", "Each", "Amount"),
    ("Treatment stool, adjustable height", "2", "$118.00", "$236.00"),
    ("Hot pack, standard size", "6", "$17.50", "$105.00"),
    ("Resistance band, green, roll of 25 m", "3", "$32.00", "$96.00"),
    ("Delivery by Swiftlark Parcels", "1", "$14.00", "$14.00"),
    ("Total", "", "", "$451.00"),
]
MONEY = (90, 25, 28, 28), ("LEFT", "RIGHT", "RIGHT", "RIGHT")
RESTRICTIONS = [
    ("No lifting above the shoulder", "for two weeks"),
    ("Nothing heavier than 4 pounds in the right hand", "for two weeks"),
    ("No pulling with elastic bands behind the back", "until the first review"),
    ("Swimming and cycling", "allowed, as long as it does not hurt"),
]


def referral() -> None:
    paper = Paper("Serif")
    paper.letterhead(CLINIC, CLINIC_LINE)
    paper.say("Page 1 of 2", 9)
    paper.say("Referral for physiotherapy", 15, bold=True)
    paper.rows(
        [("To", "Pellworth Physiotherapy, front desk, for Priya Nair"), ("Patient", "Maria Costa"),
         ("Referred by", "Dr. L. Anand"), ("Visits", "Up to 8, once or twice a week")],
        (35, 137), ("LEFT", "LEFT"), head=False,
    )
    paper.say("Dear colleagues,")
    paper.say(
        "Thank you for seeing Maria Costa. She slipped on the stairs six weeks ago and caught herself with her right arm. "
        "The shoulder has been stiff since then. The X-ray shows no fracture, and she needs no medication."
    )
    paper.say(
        "She raises the arm to shoulder height without pain, and no further. Her grip is strong. She works at a flower "
        "market and carries boxes every morning, so she would like to know how to lift them in the meantime."
    )
    paper.say("Please help her to:", gap=1)
    paper.say("1.  raise the arm over her head again,\n2.  sleep on the right side,\n3.  go back to full work within eight weeks.")
    paper.say("What she should not do yet is on page 2. A short note after the fourth visit is enough for me.")
    paper.say("With kind regards,", gap=1)
    paper.signed("Dr. L. Anand", 5)
    paper.letterhead(CLINIC, CLINIC_LINE)
    paper.say("Page 2 of 2", 9)
    paper.say("Maria Costa: what to avoid", 15, bold=True)
    paper.rows([("Activity", "How long"), *RESTRICTIONS], (102, 70), ("LEFT", "LEFT"))
    paper.say("Heat before the exercises does her good. Please stop and call us if she feels numbness in the hand.")
    paper.say("Questions about this referral: Rosa Delgado, referrals desk, 503-555-0121.")
    paper.output("referral-maria-costa.pdf")


def quote() -> None:
    paper = Paper("Sans")
    paper.letterhead("Velmont Medical Supply", "230 Foundry Road, Salem, OR. Phone 971-555-0172. Fax 971-555-0173")
    paper.say("Quote Q-2204", 16, bold=True)
    paper.say("For: Pellworth Physiotherapy, Nadia Rahman")
    paper.rows(ORDERED, *MONEY)
    paper.say("Prices are good for 30 days. Stools and hot packs are in stock; please ask about the bands.")
    paper.say("To order, sign and fax this page, or send your own order with the number of the quote.")
    paper.signed("Sam Whitlow, Velmont Medical Supply", 12)
    paper.output("velmont-quote.pdf")


def order() -> None:
    paper = Paper("Sans")
    paper.add_page()
    paper.say("FAX", 34, bold=True, gap=8)
    paper.rows(
        [("To", "Velmont Medical Supply, 971-555-0173"), ("From", "Nadia Rahman, Pellworth Physiotherapy"),
         ("Phone", "503-555-0110"), ("Pages", "2, with this one")],
        (35, 137), ("LEFT", "LEFT"), head=False,
    )
    paper.say("Our order from your quote Q-2204 is on the next page. Please call me when it ships. Nadia", 13)
    paper.add_page()
    paper.say("Purchase order PO-0318", 16, bold=True)
    paper.say(HOME, 9)
    paper.say("Supplier: Velmont Medical Supply, quote Q-2204")
    paper.rows(ORDERED, *MONEY)
    paper.say("Deliver to: 61 Pellworth Street, Suite 2, Portland. The front desk is open from 8 to 6.")
    paper.say("If anything is not in stock, please call before you send something else in its place.")
    paper.signed("Nadia Rahman", 3)
    paper.output("velmont-order.pdf")


def claim() -> None:
    paper = Paper("Sans")
    paper.add_page()
    paper.say("Claim for physiotherapy visits", 16, bold=True)
    paper.say("To: Northlight Benefits, claims desk, fax 206-555-0181\nFrom: " + HOME, 10)
    paper.rows(
        [("Member", "Ingrid Halvorsen"), ("Approval", "NB-5514, six visits"), ("Claim", "PP-0097")],
        (35, 137), ("LEFT", "LEFT"), head=False,
    )
    paper.rows(
        [("Visit", "With", "Kind", "Fee"), ("1", "Jonas Lindqvist", "First visit, 45 minutes", "$95.00"),
         ("2", "Jonas Lindqvist", "Exercises, 30 minutes", "$70.00"), ("3", "Priya Nair", "Exercises, 30 minutes", "$70.00"),
         ("4", "Jonas Lindqvist", "Exercises, 30 minutes", "$70.00"), ("Total", "", "", "$305.00")],
        (20, 52, 72, 28), ("LEFT", "LEFT", "LEFT", "RIGHT"),
    )
    paper.say("Two of the six visits are still to come. Please pay to the account you have on file.")
    paper.signed("Ewa Kowalczyk, practice manager", 8)
    paper.output("northlight-claim.pdf")


def toner() -> None:
    paper = fpdf.FPDF(format="letter", unit="mm")
    paper.set_creation_date(NO_DATE)
    paper.set_margins(22, 18)
    paper.add_page()
    paper.ln(20)
    paper.set_line_width(1.5)
    paper.rect(15, 25, 186, 150)
    paper.set_font("helvetica", "B", 46)
    paper.multi_cell(0, 20, "TONER!\nTONER!\nTONER!", align="C", new_x="LMARGIN", new_y="NEXT")
    paper.set_font("helvetica", "B", 20)
    paper.multi_cell(0, 12, "Every cartridge at half price.\nThis week only, while the pallets last.\nCall 702-555-0144 now!", align="C", new_x="LMARGIN", new_y="NEXT")
    paper.ln(8)
    paper.set_font("helvetica", "", 9)
    paper.multi_cell(0, 5, "To stop these faxes, write REMOVE on this page and fax it back.", align="C")
    paper.output("toner-offer.pdf")


# -- Faxes as TIFF: 204 by 196 dpi, one bit, as from the sender's scanner ------------------------------------------

class Scan:
    def __init__(self, header: str):
        self.page = Image.new("L", (1728, 2244), 255)
        self.ink = ImageDraw.Draw(self.page)
        self.header = header
        self.y = 150

    def say(self, text: str, size: int = 42, font: str = "Sans-Regular", x: int = 170, gap: int = 18) -> None:
        for line in text.split("\n"):
            self.ink.text((x, self.y), line, 0, ImageFont.truetype(f"{FONTS}{font}.ttf", size))
            self.y += round(size * 1.35)
        self.y += gap

    def letterhead(self, name: str, line: str) -> None:
        for stroke in MARKS[name]:
            self.ink.line([(230 + 64 * x, 205 + 64 * y) for x, y in stroke], 0, 7, "curve")
        self.say(name, 58, "Serif-Bold", 320, 0)
        self.say(line, 30, "Serif-Regular", 320, 20)
        self.ink.line((170, 290, 1560, 290), 0, 5)
        self.y = 350

    def rows(self, rows: list[tuple[str, str]], split: int, size: int = 38) -> None:
        height = round(size * 1.9)
        for row in rows:
            self.ink.rectangle((170, self.y, 1560, self.y + height), outline=0, width=3)
            self.ink.line((split, self.y, split, self.y + height), 0, 3)
            for x, text in zip((190, split + 20), row, strict=True):
                self.ink.text((x, self.y + size * 0.35), text, 0, ImageFont.truetype(f"{FONTS}Sans-Regular.ttf", size))
            self.y += height
        self.y += 40

    def signed(self, name: str, seed: int) -> None:
        self.ink.line([(200 + 3.2 * x, self.y + 70 + 3 * y) for x, y in scribble(seed)], 0, 5, "curve")
        self.y += 150
        self.say(name)

    def sent(self, degrees: float, seed: int) -> Image.Image:
        """The page skewed in the feeder, with a few specks, and the straight header line of the sending machine."""
        page = self.page.rotate(degrees, Image.Resampling.BICUBIC, fillcolor=255)
        rng, ink = random.Random(seed), ImageDraw.Draw(page)
        for _ in range(45):
            x, y, r = rng.randrange(1728), rng.randrange(2244), rng.choice((1, 1, 2, 3))
            ink.ellipse((x, y, x + r, y + r), 0)
        ink.rectangle((0, 0, 1728, 90), 255)
        ink.text((60, 34), self.header, 0, ImageFont.truetype(f"{FONTS}Mono-Bold.ttf", 30))
        return page.resize((1728, 2156)).point(lambda level: 255 * (level > 128), "1")


def save_fax(name: str, pages: list[Image.Image]) -> None:
    white_is_zero = {262: 0}  # as on fax machines
    pages[0].save(name, compression="group4", tiffinfo=white_is_zero, dpi=(204, 196), save_all=True, append_images=pages[1:])


def corrected_page() -> None:
    scan = Scan("FROM: QUILLMERE FAMILY CLINIC 503 555 0122    TO: PELLWORTH PHYSIO      P. 1/1")
    scan.letterhead(CLINIC, CLINIC_LINE)
    scan.say("Page 2 of 2", 30)
    scan.say("Maria Costa: what to avoid", 58, "Sans-Bold", gap=30)
    top = scan.y
    rows = [("Activity", "How long"), *RESTRICTIONS]
    rows[1] = ("No lifting above the shoulder", "for FOUR weeks")
    rows[4] = ("Swimming and cycling", "allowed, if it does not hurt")
    scan.rows(rows, 1080)
    scan.ink.ellipse((1060, top + 60, 1500, top + 155), outline=0, width=6)
    scan.say("Corrected. This page takes the place of page 2 that we sent\nyesterday: four weeks without lifting above the shoulder,\nnot two. Nothing else has changed.")
    scan.say("Heat before the exercises does her good. Please stop and\ncall us if she feels numbness in the hand.")
    scan.say("With kind regards,", gap=0)
    scan.signed("Dr. L. Anand", 5)
    scan.say("Questions: Rosa Delgado, referrals desk, 503-555-0121")
    stamp = Image.new("L", (620, 130), 255)
    ImageDraw.Draw(stamp).rectangle((6, 6, 613, 123), outline=0, width=9)
    ImageDraw.Draw(stamp).text((45, 22), "CORRECTED", 0, ImageFont.truetype(f"{FONTS}Sans-Bold.ttf", 84))
    scan.page.paste(stamp.rotate(7, Image.Resampling.BICUBIC, expand=True, fillcolor=255), (880, 1720))
    save_fax("referral-corrected-page.tif", [scan.sent(0.45, 1)])


def approval() -> None:
    header = "NORTHLIGHT BENEFITS  206 555 0181    TO: 15035550110      P. {}/2"
    first = Scan(header.format(1))
    first.letterhead("Northlight Benefits", "900 Lantern Street, Seattle, WA. Claims desk 206-555-0181")
    first.say("Approval of visits", 58, "Sans-Bold", gap=30)
    first.rows([("Member", "Luis Ortega"), ("Approval", "NB-5530"), ("Visits approved", "8"), ("Member pays", "$15 for each visit")], 620)
    first.say("Dear Pellworth Physiotherapy,")
    first.say("We approve eight visits for Luis Ortega. They may be used\nwithin 90 days of this letter. Visits that are missed\nwithout notice do not count.")
    first.say("If he needs more, please send us a progress note after\nthe sixth visit and ask again.")
    first.signed("Grace Liu, approvals", 21)
    second = Scan(header.format(2))
    second.say("How to send a claim", 58, "Sans-Bold", gap=30)
    second.say("1. One claim for each member, with the approval number.\n2. List every visit, who saw the member, and the fee.\n3. Fax it to 206-555-0181 by noon on the last working\n    day of the period. Later claims wait for the next one.")
    second.say("The line is often busy on that day. Please try again after\na few minutes, or send the claim a day early.")
    save_fax("northlight-approval.tif", [first.sent(-0.35, 2), second.sent(0.3, 3)])


# -- The picture: a box with a crushed corner, on a floor, lit from the left ----------------------------------------

def parcel() -> None:
    scale, (width, height) = 2, (800, 600)
    rng = numpy.random.default_rng(7)

    def smooth_noise(rows: int, cols: int, size: tuple[int, int]) -> numpy.ndarray:
        small = Image.fromarray((rng.random((rows, cols)) * 255).astype("uint8"))
        return numpy.asarray(small.resize(size, Image.Resampling.BICUBIC), float) / 255 - 0.5

    # Wall above, wooden counter below.
    w, h = width * scale, height * scale
    y, x = numpy.mgrid[0:h, 0:w]
    horizon = h * 0.3
    depth = numpy.clip((y - horizon) / (h - horizon), 0.001, 1)
    plank = (x - w * 0.45) / (0.35 + depth) / 210
    tone = 0.72 + 0.1 * numpy.sin(numpy.floor(plank) * 12.9) + 0.1 * smooth_noise(60, 40, (w, h))
    tone = tone * (0.75 + 0.35 * depth) * (1 - 0.4 * (abs(plank - numpy.round(plank)) < 0.012))
    wall = 0.8 + 0.05 * smooth_noise(5, 7, (w, h)) - 0.15 * x / w
    below = (y > horizon)[..., None]
    image = numpy.where(below, tone[..., None] * (150, 112, 80), wall[..., None] * (205, 210, 205))
    scene = Image.fromarray(numpy.clip(image, 0, 255).astype("uint8"))
    ImageDraw.Draw(scene).line((0, horizon, w, horizon), (90, 75, 62), 10)
    scene = scene.filter(ImageFilter.GaussianBlur(5))

    # The box in space, its near top corner pushed in and crumpled.
    size = numpy.array((1.5, 1.05, 0.85))
    corner, reach = size, 0.66
    creases = numpy.array(((8, 3, 5), (-4, 9, 6), (3, -7, 11), (10, 8, -4)))

    def crush(p: numpy.ndarray) -> numpy.ndarray:
        far = numpy.linalg.norm((p - corner) / (1.0, 1.0, 0.9), axis=-1)
        far += 0.07 * numpy.sin(7 * p[..., 0] + 3 * p[..., 2]) + 0.05 * numpy.sin(9 * p[..., 1] - 5 * p[..., 2])
        force = numpy.clip(1 - far / reach, 0, 1)
        folds = sum(abs(numpy.sin(p @ direction + phase)) for phase, direction in enumerate(creases))
        push = (0.42 * force**1.2 + 0.075 * folds * force)[..., None]
        return p - push * (0.5, 0.45, 0.7)

    eye, turn, tilt = 4.6, math.radians(47), math.radians(27)

    def project(p: numpy.ndarray) -> tuple[numpy.ndarray, numpy.ndarray]:
        q = p - size / 2
        side = q[..., 0] * math.sin(turn) - q[..., 1] * math.cos(turn)
        near = q[..., 0] * math.cos(turn) + q[..., 1] * math.sin(turn)
        up = q[..., 2] * math.cos(tilt) - near * math.sin(tilt)
        away = eye - near * math.cos(tilt) - q[..., 2] * math.sin(tilt)
        zoom = h * 2.05 / away
        return numpy.stack((w * 0.5 + side * zoom, h * 0.56 - up * zoom), -1), away

    shadow = Image.new("L", scene.size, 0)
    ground = numpy.array([(-0.05, -0.1, 0), (1.6, -0.25, 0), (1.95, 0.7, 0), (1.62, 1.14, 0), (-0.02, 1.12, 0)])
    ImageDraw.Draw(shadow).polygon([tuple(point) for point in project(ground)[0]], 190)
    scene.paste((28, 22, 18), mask=shadow.filter(ImageFilter.GaussianBlur(26)))

    def card(cols: int, rows: int) -> Image.Image:
        grain = 1 + 0.05 * smooth_noise(rows // 4, cols // 60, (cols, rows)) + 0.14 * smooth_noise(4, 6, (cols, rows))
        return Image.fromarray((grain[..., None] * (190, 148, 102)).clip(0, 255).astype("uint8"))

    top, right, left = card(600, 420), card(420, 340), card(600, 340)
    for face, box in ((top, (0, 178, 600, 242)), (right, (178, 0, 242, 90))):
        tape = Image.new("RGB", face.size, (206, 180, 140))
        mask = Image.new("L", face.size, 0)
        ImageDraw.Draw(mask).rectangle(box, 170)
        face.paste(tape, mask=mask)
    ink = ImageDraw.Draw(left)
    ink.rectangle((60, 80, 330, 270), (238, 236, 228))
    for line, text, points in ((92, "SWIFTLARK", 40), (140, "SL-7719", 34), (180, "PELLWORTH PHYSIO, SUITE 2", 16)):
        ink.text((72, line), text, (25, 25, 30), ImageFont.truetype(f"{FONTS}Sans-Bold.ttf", points))
    bars = 74
    while bars < 310:
        thick = int(rng.integers(2, 7))
        ink.rectangle((bars, 212, bars + thick, 258), (25, 25, 30))
        bars += thick + int(rng.integers(3, 7))
    ink.text((400, 180), "VELMONT", (92, 66, 44), ImageFont.truetype(f"{FONTS}Sans-Bold.ttf", 36))

    quads = []
    light = numpy.array((-0.25, 0.75, 0.95)) / numpy.linalg.norm((-0.25, 0.75, 0.95))
    # Each face: its texture, the corner where the texture starts, and the two edges along which it runs.
    for face, start, along, down, out in (
        (top, (0, 0, size[2]), (size[0], 0, 0), (0, size[1], 0), (0, 0, 1)),
        (left, (0, size[1], size[2]), (size[0], 0, 0), (0, 0, -size[2]), (0, 1, 0)),
        (right, (size[0], size[1], size[2]), (0, -size[1], 0), (0, 0, -size[2]), (1, 0, 0)),
    ):
        cols, rows = face.size
        u, v = numpy.meshgrid(numpy.linspace(0, 1, cols // 2 + 1), numpy.linspace(0, 1, rows // 2 + 1))
        mesh = crush(numpy.array(start) + u[..., None] * along + v[..., None] * down)
        normal = numpy.cross(mesh[:-1, 1:] - mesh[:-1, :-1], mesh[1:, :-1] - mesh[:-1, :-1])
        normal *= numpy.sign((normal * out).sum(-1, keepdims=True) + 1e-12)
        normal /= numpy.linalg.norm(normal, axis=-1, keepdims=True) + 1e-12
        shade = 0.52 + 0.56 * numpy.clip(normal @ light, 0, 1)
        points, away = project(mesh)
        colour = numpy.asarray(face.resize((cols // 2, rows // 2), Image.Resampling.LANCZOS), float) * shade[..., None]
        for i in range(rows // 2):
            for j in range(cols // 2):
                outline = [tuple(points[a, b]) for a, b in ((i, j), (i, j + 1), (i + 1, j + 1), (i + 1, j))]
                quads.append((away[i, j], outline, tuple(int(c) for c in colour[i, j].clip(0, 255))))
    paint = ImageDraw.Draw(scene)
    for _, outline, colour in sorted(quads, key=lambda quad: -quad[0]):
        paint.polygon(outline, colour, colour)

    picture = numpy.asarray(scene.resize((width, height), Image.Resampling.LANCZOS).filter(ImageFilter.GaussianBlur(0.5)), float)
    y, x = numpy.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    picture = picture * (1 - 0.28 * (x * x + y * y)[..., None] / 2) * (1.04, 1.0, 0.93) + rng.normal(0, 2.0, picture.shape)
    Image.fromarray(picture.clip(0, 255).astype("uint8")).save("crushed-parcel.jpg", quality=62, optimize=True, progressive=True)


for make in (referral, quote, order, claim, toner, corrected_page, approval, parcel):
    make()
PY
}

case "${1:-}" in
    "") recordings; papers ;;
    recordings | papers) "$1" ;;
    *) echo "usage: ./make.sh [recordings | papers]" >&2; exit 2 ;;
esac
