"""Reads tariff files with the tree-sitter grammar: `parse.py parser.so queries/highlights.scm FILE...`.

Every file has a tree without errors, every word in it is one node, and the colours of a few lines are as they should be.
"""

import ctypes
import pathlib
import sys

import tree_sitter

library = ctypes.cdll.LoadLibrary(sys.argv[1])
library.tree_sitter_tariff.restype = ctypes.c_void_p
capsule = ctypes.pythonapi.PyCapsule_New
capsule.restype = ctypes.py_object
capsule.argtypes = (ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p)
language = tree_sitter.Language(capsule(library.tree_sitter_tariff(), b"tree_sitter.Language", None))
parser = tree_sitter.Parser(language)
query = tree_sitter.Query(language, pathlib.Path(sys.argv[2]).read_text(encoding="utf-8"))


def tree(text):
    return parser.parse(text.encode()).root_node


def walk(node):
    yield node
    for child in node.children:
        yield from walk(child)


def colours(text):
    captures = tree_sitter.QueryCursor(query).captures(tree(text))
    found = {}
    for name, nodes in captures.items():
        if not name.startswith("_"):
            for node in nodes:
                found.setdefault(node.text.decode(), set()).add(name)
    return found


def same(found, wanted, what):
    for text, names in wanted.items():
        if found.get(text) != set(names):
            sys.exit(f"{what}: `{text}` is {found.get(text)}, not {names}")


same(
    colours('energy: spot + grid-rent  during Mon-Fri 08:00-20:00  # for "all"\n'),
    {
        "energy": ["keyword"],
        "spot": ["keyword"],
        "+": ["operator"],
        "during": ["keyword"],
        "Mon-Fri": ["constant.builtin"],
        "08:00": ["constant.numeric"],
        '# for "all"': ["comment"],
    },
    "a price line",
)
same(
    colours('tariff "A # b"\n  time zone: Europe/Oslo\n  currency: EUR\n\n  valid until: 2025-12-31\n'),
    {
        '"A # b"': ["string"],
        "time": ["keyword", "property"],
        "zone": ["property"],
        "currency": ["property"],
        "valid": ["property"],
        "EUR": ["type"],
        "2025-12-31": ["constant.numeric"],
    },
    "settings",
)
same(colours("idle fee after 30 min: 0.10 EUR/h\n"), {"h": ["type"], "30": ["constant.numeric"]}, "units")

# A statement holds its lines, also behind blank ones and comments.
shape = tree('energy:\n  0.30 EUR/kWh  for members\n\n  # night\n  0.20 EUR/kWh  otherwise\nVAT: 20%\n')
statements = [node for node in shape.children if node.type == "statement"]
if len(statements) != 2 or [node.type for node in statements[0].children].count("line") != 2:
    sys.exit(f"statements and their lines: {shape}")

words = 0
for file in sys.argv[3:]:
    text = pathlib.Path(file).read_text(encoding="utf-8")
    root = tree(text)
    if root.has_error:
        wrong = next(node for node in walk(root) if node.is_error or node.is_missing)
        sys.exit(f"{file}:{wrong.start_point.row + 1}: {wrong}")
    words += sum(node.type == "word" for node in walk(root))
if len(sys.argv) > 3 and words < 100:
    sys.exit(f"only {words} words were seen")
print(f"fine: {words} words in {len(sys.argv) - 3} files")
