"""Texts that must be masked, and texts that must not, written down by hand with the rules of each numbering plan."""

from __future__ import annotations

from collections.abc import Mapping

PHONES = (
    "+90 532 123 45 67", "+905321234567", "0532 123 45 67", "05321234567", "0(532) 123 45 67", "0 (532) 123 4567",
    "(0212) 123 45 67", "0212 123 4567", "0216-123-45-67", "532 123 45 67", "0090 532 123 45 67",
    "+49 30 1234567", "+49 (0)30 1234567", "030 1234567", "0151 23456789", "0171/1234567", "089-1234567",
    "06 12 34 56 78", "06.12.34.56.78", "0612345678", "+33 6 12 34 56 78",
    "07700 900123", "020 7946 0958", "(0113)4960681", "+44 20 7946 0958",
    "+34 612 345 678", "+39 347 123 4567", "347 123 4567", "+31 6 12345678", "06-12345678", "020-1234567",
    "(415) 555-0132", "415-555-0132", "415.555.0132", "1-800-555-0199", "+1 415 555 0132", "(415)555-0132x123",
)  # fmt: skip
CARDS = (
    "4111 1111 1111 1111", "4111111111111111", "5555-5555-5555-4444", "378282246310005", "3782 822463 10005",
    "9792 0303 9444 0796", "6011 1111 1111 1117", "2223 0031 2200 3222", "30569309025904",
)  # fmt: skip
IBANS = (
    "TR33 0006 1005 1978 6457 8413 26", "TR330006100519786457841326", "tr330006100519786457841326",
    "DE89 3704 0044 0532 0130 00", "DE89370400440532013000", "GB82 WEST 1234 5698 7654 32",
    "FR14 2004 1010 0505 0001 3M02 606", "NL91 ABNA 0417 1643 00", "NO93 8601 1117 947",
)  # fmt: skip
EMAILS = (
    "ada.lovelace@example.org", "ada+parcels@mail.example.co.uk", "o'brien@example.ie", "müller@exämple.de",
    "ADA_L@EXAMPLE.ORG", "ada@xn--exmple-cua.de", "postmaster@xn--e1afmkfd.xn--p1ai",
)  # fmt: skip
KEYS = (
    "sk-proj-abcdEFGH1234ijklMNOP5678", "sk-ant-api03-abcdefghijk1234567", "AKIAIOSFODNN7EXAMPLE",
    "ghp_16C7e42F292c6912E7710c838347Ae178B4a", "github_pat_11ABCDEFG0abcdefghij_klmnop",
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U",
    "xoxb-123456789012-abcdefGHIJ", "AIzaSyA1234567890abcdefghijklmnopqrstu", "x9Kd82mQpL0vNz4RtY7bWc1H",
)  # fmt: skip
FOUND: Mapping[str, tuple[str, ...]] = {
    "PHONE": PHONES, "CARD": CARDS, "IBAN": IBANS, "EMAIL": EMAILS, "KEY": KEYS,
}  # fmt: skip

HARMLESS = (
    "order 4471-2290", "order 10024567890", "sipariş 45-6789-12", "invoice 2024-000123", "ticket 00123456",
    "parcel MP-48213", "tracking 1Z999AA10123456784", "call about order 4471-2290", "phone order 44712290",
    "2024-05-12 10:30", "12.05.2024 12:30", "01.02.2024 12:30", "03.04.2024 - 05.04.2024", "20240512103000",
    "2024/05/12", "10:30-12:45", "1 250 000 TL", "12.500,00 TL", "EUR 1.234.567,89", "5 000 000 000", "0.123456789",
    "192.168.1.100", "version 3.10.4", "ISBN 978-3-16-148410-0", "1234 5678 9012 3456", "4111 1111 1111 1112",
    "TR33 0006 1005 1978 6457 8413 27", "DE00370400440532013000",
    "550e8400-e29b-41d4-a716-446655440000", "d41d8cd98f00b204e9800998ecf8427e",
    "getUserAccountInformation2FromServer", "sk-learn", "my password is incorrect", "basic responsibilities",
    "user@host", "@support", "a @ b", "room 0123", "size 100 x 200 x 300", "pages 10-20-30", "PNR ABC123",
)  # fmt: skip
