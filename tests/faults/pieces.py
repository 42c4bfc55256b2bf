"""Pieces of hostile names and files, which a fuzzer and Hypothesis put together."""

WORDS = (
    *["+", "(", ")", "=", ",", ".", ":", "-", "_", "/", "0", "1", "2", "9", "a", "b"], " ", "\n", "\0",
    "\x1b[31m", "é", "\udc80", "\u202e", "٣", "=cmd|' /C calc'!A0", "<script>alert(1)</script>", "mlp",
    "linear", "poly2", "random-forest", "svc-platt", "oracle", "prior", "transformer", "resnet", "maxout",
    "polynomial", "rbf", "gaussian-mixture", "swiglu", "cnn", "fourier", "width=", "depth=", "degree=",
    "heads=", "units=", "activation=", "blocks=", "n_estimators=", "1e308", "1e-320", "nan", "inf", "-1",
    "true", "none", "999999999", "123456789012345678901234567890", "9" * 400, "9" * 5000, "+focal(",
    "+label-smoothing(", "+mixup(", "+lr(", "+batch(", "+sgd", "+cosine", "+ema(", "+ensemble(",
    "+mc-dropout(", "+dropout(", "+temperature", "+isotonic", "+sigmoid", "+weight-decay(", "samples=",
    "gamma=", "learning_rate=", "xor-2d", "gauss-nested", "gauss-shared-d8", "digits", "+nuisance(",
    "+label-noise(", "+prior-shift(", "+linear-map(", "+random-linear-map(", "0.5,0.5", "1,0,0,1",
    "x.py:Net", "os:abort", "tests.x:y", "../", "-" * 300, "+" * 300, "(" * 300, "a" * 20000,
)  # fmt: skip


def text_of(data):
    """Return bytes as a text made of pieces that names are made of."""
    return "".join(WORDS[byte] if byte < len(WORDS) else chr(byte) for byte in data)


def bytes_of(text):
    """Return bytes that `text_of` makes the text of, with the longest pieces that fit."""
    found, by_length = [], sorted(range(len(WORDS)), key=lambda place: -len(WORDS[place]))
    while text:
        place = next((place for place in by_length if text.startswith(WORDS[place])), None)
        found.append(ord(text[0]) if place is None else place)
        text = text[1 if place is None else len(WORDS[place]) :]
    return bytes(byte for byte in found if byte < 256)


ARCHITECTURES = (
    "mlp(width=9, depth=2, activation=relu)+focal(2)+lr(0.1)", "resnet(9,2)+sgd+cosine+batch(9)",
    "linear+ema(0.9)", "transformer(width=2,heads=2)+mc-dropout(0.1, samples=9)",
    "random-forest(n_estimators=9)+isotonic", "oracle",
    "polynomial(degree=2)+label-smoothing(0.1)+temperature", "maxout(9)+mixup(0.2)+ensemble(2)",
    "x.py:Net(a=1)+sgd",
)  # fmt: skip
TASKS = (
    "xor-2d+nuisance(9)+label-noise(0.1)", "gauss-nested+prior-shift(0.5,0.5)+linear-map(2)",
    "xor-2d+linear-map(1,0,0,1)", "digits+random-linear-map(9)+label-noise(0.1)",
    "gauss-shared-d8+random-linear-map(1)+nuisance(2)+nuisance(2)",
)  # fmt: skip
SUITE = b"""name = "x"
protocol = "stream"
batch = 64
budgets = [64, 640]
seeds = 3
tasks = ["gauss-nested"]
architectures = ["linear"]
"""

PAYLOADS = (
    "<script>alert(1)</script><img src=x onerror=alert(1)>", "=cmd|\"/C calc\"!A0", "</script><!--<script>",
    "---", "[x](javascript:alert(1)) ![a](http://e.org/a) www.evil.com `c` | * _ ~~s~~", "- x", "1. x",
    "# h", "> q", "+ x", "\x1b[31mred\x1b]0;x\x07", "a\r\nb\tc\0", "\u202egnp", "\ud800",
    "../../../etc/passwd", "/etc/passwd", "CON", "a" * 3_000, "\"' onload=x", "{{7*7}}{% raw %}", "&lt;",
    "$x$ #1 @me", "+1", "@SUM(1)", "<details>", "\\", "\u2028x", "\t=1+1", "\uff1d1+1", "C:\\x", "x:y",
    "é" * 300, " ", "-",
)  # fmt: skip
