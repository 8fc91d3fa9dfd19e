"""File names that make trouble. Each is a single component and ends in what marks an image."""

NAMES = tuple(
    name + b".png"
    for name in (
        b"-rf", b"--output", b"a b", b" lead", b"trail ", b"line\nfeed", b"return\rhere",
        b"tab\there",
        b"bell\x07", b"\x1b[31mred\x1b[0m", b"\xff\xfe", b"latin\xe9", b"half\xc3", b"over\xc0\xaf",
        b"surrogate\xed\xa0\x80", b"=1+1", b"+cmd|' C calc'!A0", b"@SUM(A1)", b'quote"s', b"it's",
        b"comma,semicolon;", b"back\\slash", b"per%00cent", b"$(id)", b"`id`", b"~", b"#",
        b"*", b"?",
        b"[a-z]", b"{a,b}", b"|", b"&", b"<", b">", "naïve".encode(), "nai\u0308ve".encode(),
        "\u202egnp.exe".encode(), "zero\u200bwidth".encode(), "\ufeffbom".encode(),
        "😀👩‍👩‍👧".encode(),
        "\u2028separator".encode(), "ſ".encode(), "İ".encode(), "ﬃ".encode(), "А".encode(),
        b"CON", b"NUL",
        b"a::b", b"s3:", b"http:", b"a.tar", b"x" * 200, "é".encode() * 100, b"a..",
        b"1e999", b"nan",
    )
)  # fmt: skip
