from __future__ import annotations

import gzip
import io
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.compression import (
    DamagedData,
    compress,
    find_codec,
    open_compressor,
    open_decompressed,
    split_suffix,
)

CODECS = ["gzip", "zstd"]
# Noise: however it is compressed, damage in the middle has blocks of data on either side.
DATA = bytes(random.Random(1).choices(b"abcdefgh \n", k=600_000))  # noqa: S311


def _decompress(data: bytes, codec: str, step: int = 1 << 16) -> tuple[bytes, bool]:
    """Return what can be read, and whether it ends in damage."""
    read = bytearray()
    with open_decompressed(io.BytesIO(data), codec) as stream:
        try:
            while piece := stream.read1(step):
                read += piece
        except DamagedData:
            return bytes(read), True
    return bytes(read), False


@pytest.mark.parametrize(
    ("name", "split"),
    [
        ("a.jsonl.GZ", ("a.jsonl", "gzip")),
        ("deep/a.csv.zst", ("deep/a.csv", "zstd")),
        ("a.csv.zstd", ("a.csv", "zstd")),
        ("a.jsonl", ("a.jsonl", None)),
        ("a.gz", ("a", "gzip")),
        ("gz", ("gz", None)),
        ("-", ("-", None)),
        ("a.jsonl.gz.gz", ("a.jsonl.gz", "gzip")),
    ],
)
def test_the_ending_of_a_name_tells_the_codec(name: str, split: tuple[str, str | None]) -> None:
    assert split_suffix(name) == split


@pytest.mark.parametrize("data", [b"", b"\x1f", b"question,text\n", b"PAR1", b"(\xb5"])
def test_what_is_not_compressed_has_no_codec(data: bytes) -> None:
    assert find_codec(data) is None


@settings(max_examples=40)
@given(parts=st.lists(st.binary(max_size=200), min_size=1, max_size=4), step=st.integers(1, 500))
@pytest.mark.parametrize("codec", CODECS)
def test_members_and_frames_one_after_the_other_are_read_to_the_end_of_the_last(
    codec: str, parts: list[bytes], step: int
) -> None:
    data = b"".join(compress(part, codec) for part in parts)
    assert find_codec(data) == codec
    assert _decompress(data, codec, step) == (b"".join(parts), False)


@pytest.mark.parametrize("codec", CODECS)
def test_what_is_written_in_pieces_is_one_member_or_frame_and_the_file_stays_open(codec: str) -> None:
    file = io.BytesIO()
    for _ in range(2):
        with open_compressor(file, codec) as compressor:
            for start in range(0, len(DATA), 50_000):
                compressor.write(DATA[start : start + 50_000])
        assert not file.closed
    file.write(compress(b"the end", codec))
    assert _decompress(file.getvalue(), codec) == (DATA + DATA + b"the end", False)


@pytest.mark.parametrize("codec", CODECS)
def test_the_same_data_gives_the_same_bytes(codec: str) -> None:
    assert compress(DATA, codec) == compress(DATA, codec)
    assert len(compress(DATA, codec)) < len(DATA)


def test_gzip_has_no_time_and_no_name_in_it_and_any_gzip_reads_it() -> None:
    data = compress(DATA, "gzip")
    assert data[:8] == b"\x1f\x8b\x08\x00" + bytes(4)
    assert gzip.decompress(data) == DATA


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("n_left", [4, 12, 200_000, -1], ids=["magic", "header", "middle", "last byte"])
def test_data_that_breaks_off_is_given_up_to_there_and_then_refused(codec: str, n_left: int) -> None:
    read, is_damaged = _decompress(compress(DATA, codec)[:n_left], codec)
    assert is_damaged
    assert DATA.startswith(read)
    assert (len(read) > 100_000) == (n_left not in {4, 12})


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("n_left", [3, 15, -1])
def test_all_of_a_member_or_frame_is_given_when_the_next_breaks_off(codec: str, n_left: int) -> None:
    read, is_damaged = _decompress(compress(b"whole\n", codec) + compress(b"broken\n" * 9, codec)[:n_left], codec)
    assert is_damaged
    assert read.startswith(b"whole\n")


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("junk", [b"junk after the end", DATA[:1000]], ids=["short", "long"])
def test_what_follows_the_end_and_is_no_compressed_data_is_damage(codec: str, junk: bytes) -> None:
    assert _decompress(compress(DATA, codec) + junk, codec) == (DATA, True)


@pytest.mark.parametrize("codec", CODECS)
def test_data_overwritten_in_the_middle_is_damage(codec: str) -> None:
    data = compress(DATA, codec)
    middle = len(data) // 2
    _, is_damaged = _decompress(data[:middle] + bytes(2000) + data[middle + 2000 :], codec)
    assert is_damaged


def test_a_checksum_that_does_not_fit_is_damage() -> None:
    data = bytearray(compress(DATA, "gzip"))
    data[-8] ^= 1
    assert _decompress(bytes(data), "gzip") == (DATA, True)


@pytest.mark.parametrize("codec", CODECS)
def test_damage_is_told_again_however_often_one_reads_on(codec: str) -> None:
    with open_decompressed(io.BytesIO(compress(DATA, codec)[:12]), codec) as stream:
        for _ in range(3):
            with pytest.raises(DamagedData):
                stream.read1(10)


@pytest.mark.parametrize("codec", CODECS)
def test_closing_the_stream_closes_what_is_below(codec: str) -> None:
    raw = io.BytesIO(compress(DATA, codec))
    with open_decompressed(raw, codec) as stream:
        assert stream.read(10) == DATA[:10]
        assert not stream.seekable()
    assert raw.closed


@pytest.mark.parametrize("codec", CODECS)
def test_a_peek_sees_beyond_a_short_first_member_or_frame(codec: str) -> None:
    data = compress(b"", codec) + compress(b"a", codec) + compress(DATA, codec)
    with open_decompressed(io.BytesIO(data), codec) as stream:
        assert stream.peek() == (b"a" + DATA)[: 1 << 16]
