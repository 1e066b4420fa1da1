"""An editor of somebody else's making (PyPI `pygls`) talks to `takst lsp`. Arguments: the program, what to do.

Each function below is one visit: it starts the program, talks to it, and says goodbye. The program must end by itself.
"""

import asyncio
import sys
import tempfile
from pathlib import Path

from lsprotocol import types as t
from pygls.exceptions import JsonRpcException
from pygls.lsp.client import LanguageClient

LIST = """tariff "Hotel Ø 🚗"
  currency:  EUR
  time zone: Europe/Vienna
  prices:    excluding VAT

VAT: 20%

groups: VIP, everyone else guests

price margin: 0.05 EUR/kWh

energy:
  0.20 EUR/kWh  for VIP
  spot + margin  otherwise

test "VIP 🚗"
  driver in VIP
  charge 10 kWh from 2025-03-10 12:00 to 13:00
  expect energy 2.00 EUR

test "wrong"
  spot 0.10 EUR/kWh
  charge 10 kWh from 2025-03-10 12:00 to 13:00
  expect energy 2.00 EUR
"""


class Editor:
    """An editor with the texts that it has open."""

    def __init__(self, program, encodings=None, options=None, folders=None):
        self.program, self.encodings, self.options, self.folders = program, encodings, options, folders
        self.problems, self.messages = {}, []
        self.versions = {}
        self.news = asyncio.Event()

    async def __aenter__(self):
        self.client = LanguageClient("an-editor", "1")

        @self.client.feature(t.TEXT_DOCUMENT_PUBLISH_DIAGNOSTICS)
        def _(params):
            self.problems[params.uri] = params.diagnostics
            self.versions[params.uri] = params.version
            self.news.set()

        @self.client.feature(t.WINDOW_SHOW_MESSAGE)
        def _(params):
            self.messages.append(params.message)

        @self.client.feature(t.CLIENT_REGISTER_CAPABILITY)
        def _(params):
            self.registered = [one.method for one in params.registrations]

        await self.client.start_io(self.program, "lsp")
        general = t.GeneralClientCapabilities(position_encodings=self.encodings)
        watched = t.DidChangeWatchedFilesClientCapabilities(dynamic_registration=True)
        capabilities = t.ClientCapabilities(
            general=general, workspace=t.WorkspaceClientCapabilities(did_change_watched_files=watched)
        )
        folders = [t.WorkspaceFolder(uri=Path(it).as_uri(), name="here") for it in self.folders or []]
        self.server = await self.client.initialize_async(
            t.InitializeParams(
                capabilities=capabilities, initialization_options=self.options, workspace_folders=folders
            )
        )
        self.client.initialized(t.InitializedParams())
        return self

    async def __aexit__(self, failed, *_):
        if failed:
            self.client._server.kill()
            return
        await asyncio.wait_for(self.client.shutdown_async(None), 10)
        self.client.exit(None)
        process = self.client._server
        assert await asyncio.wait_for(process.wait(), 10) == 0, "it did not end by itself"
        await self.client.stop()

    def open(self, uri, text, version=1):
        document = t.TextDocumentItem(uri=uri, language_id="tariff", version=version, text=text)
        self.client.text_document_did_open(t.DidOpenTextDocumentParams(text_document=document))

    def change(self, uri, version, *changes):
        document = t.VersionedTextDocumentIdentifier(uri=uri, version=version)
        self.client.text_document_did_change(
            t.DidChangeTextDocumentParams(text_document=document, content_changes=list(changes))
        )

    async def found(self, uri, version=None, test=lambda found: True):
        """The problems of a file, once they are those of this version and pass the test."""

        async def wait():
            while True:
                self.news.clear()
                if uri in self.problems and (version is None or self.versions[uri] == version):
                    if test(self.problems[uri]):
                        return self.problems[uri]
                await self.news.wait()

        return await asyncio.wait_for(wait(), 20)

    def at(self, uri, position):
        return {"text_document": t.TextDocumentIdentifier(uri=uri), "position": position}


def place(text, word, encoding="utf-16", after=0):
    """Where a word stands, in the units of the encoding."""
    before = text[: text.index(word) + after]
    line = before.count("\n")
    column = before.rsplit("\n", 1)[-1]
    units = len(column.encode("utf-16-le")) // 2 if encoding == "utf-16" else len(column.encode("utf-8"))
    return t.Position(line=line, character=units)


def codes(found):
    return [one.code for one in found]


def applied(text, edits, encoding="utf-16"):
    """A text after edits, as an editor makes them."""
    lines = text.split("\n")

    def index(position):
        line = lines[position.line] if position.line < len(lines) else ""
        start = sum(len(it) + 1 for it in lines[: position.line])
        units = 0
        for at, letter in enumerate(line):
            if units >= position.character:
                return start + at
            units += len(letter.encode("utf-16-le")) // 2 if encoding == "utf-16" else len(letter.encode("utf-8"))
        return start + len(line)

    for edit in sorted(edits, key=lambda it: (it.range.start.line, it.range.start.character), reverse=True):
        text = text[: index(edit.range.start)] + edit.new_text + text[index(edit.range.end) :]
    return text


async def typing(program):
    """Mistakes show while typing, with their places and what mends them; in both encodings."""
    for encodings, name in [(None, "utf-16"), (["utf-32", "utf-8"], "utf-8")]:
        async with Editor(program, encodings) as editor:
            assert editor.server.capabilities.position_encoding == name
            uri = "file:///nowhere/list.tariff"
            editor.open(uri, LIST)
            assert codes(await editor.found(uri, 1)) == []
            # The car stands before the end of the line: places behind it must be counted right.
            line = t.Position(line=11, character=0)
            whole = t.Range(start=line, end=line)
            editor.change(uri, 2, t.TextDocumentContentChangePartial(range=whole, text="price low: 0,04 EUR/kWh # 🚗\n"))
            found = await editor.found(uri, 2)
            assert codes(found) == ["E025"], found
            where = found[0].range
            assert (where.start.line, where.start.character, where.end.character) == (11, 11, 15), where
            actions = await editor.client.text_document_code_action_async(
                t.CodeActionParams(
                    text_document=t.TextDocumentIdentifier(uri=uri),
                    range=where,
                    context=t.CodeActionContext(diagnostics=found),
                )
            )
            mend = next(one for one in actions if one.kind == "quickfix")
            assert mend.is_preferred and mend.title == "write `0.04`", mend
            assert mend.diagnostics[0].code == "E025"
            edits = mend.edit.changes[uri]
            assert edits[0].new_text == "0.04" and edits[0].range == where
            assert any(one.kind == "source.fixAll" for one in actions)
            editor.change(uri, 3, t.TextDocumentContentChangePartial(range=edits[0].range, text="0.04"))
            found = await editor.found(uri, 3)
            assert codes(found) == ["W101"] and list(found[0].tags) == [t.DiagnosticTag.Unnecessary], found
            # Behind the car in the title.
            after = place(LIST, '🚗"', name, after=1)
            editor.change(uri, 4, t.TextDocumentContentChangePartial(range=t.Range(start=after, end=after), text="x"))
            await editor.found(uri, 4)
            symbols = await editor.client.text_document_document_symbol_async(
                t.DocumentSymbolParams(text_document=t.TextDocumentIdentifier(uri=uri))
            )
            assert symbols[0].name == 'tariff "Hotel Ø 🚗x"', symbols[0].name
            assert [one.name for one in symbols][-2:] == ['test "VIP 🚗"', 'test "wrong"']
            # The whole text at once.
            editor.change(uri, 5, t.TextDocumentContentChangeWholeDocument(text="tariff\n"))
            assert codes(await editor.found(uri, 5))[0].startswith("E")


async def asking(program):
    """Hover, completion, definition, rename, tokens, lenses, layout."""
    options = {"today": "2025-03-10", "prices": []}
    async with Editor(program, options=options) as editor:
        client, uri = editor.client, "untitled:Untitled-1"
        editor.open(uri, LIST)
        await editor.found(uri, 1)
        document = t.TextDocumentIdentifier(uri=uri)

        hover = await client.text_document_hover_async(t.HoverParams(**editor.at(uri, place(LIST, "0.20 EUR/kWh"))))
        says = hover.contents.value
        assert "0.24 EUR/kWh" in says and "Today" in says and "VIP 🚗" in says, says
        hover = await client.text_document_hover_async(t.HoverParams(**editor.at(uri, place(LIST, "margin  otherwise"))))
        assert "EUR/kWh, excluding VAT" in hover.contents.value, hover.contents.value

        at = place(LIST, "VIP\n  spot")
        items = await client.text_document_completion_async(t.CompletionParams(**editor.at(uri, at)))
        items = getattr(items, "items", items)
        labels = {item.label for item in items}
        assert {"VIP", "guests"} <= labels and "margin" not in labels, labels
        assert all(item.text_edit.range.end == at for item in items)

        found = await client.text_document_definition_async(
            t.DefinitionParams(**editor.at(uri, place(LIST, "margin  otherwise")))
        )
        assert [(it.uri, it.range.start) for it in found] == [(uri, place(LIST, "margin: 0.05"))], found
        found = await client.text_document_references_async(
            t.ReferenceParams(**editor.at(uri, place(LIST, "VIP,")), context=t.ReferenceContext(include_declaration=True))
        )
        assert len(found) == 3

        where = editor.at(uri, place(LIST, "VIP,"))
        ready = await client.text_document_prepare_rename_async(t.PrepareRenameParams(**where))
        assert ready.placeholder == "VIP"
        edit = await client.text_document_rename_async(t.RenameParams(**where, new_name="gold"))
        text = applied(LIST, edit.changes[uri])
        assert text == LIST.replace("VIP,", "gold,").replace("for VIP", "for gold").replace("in VIP", "in gold"), text
        for name in ["guests", "", "two words", 'a"b', "for", "0"]:
            try:
                await client.text_document_rename_async(t.RenameParams(**where, new_name=name))
                raise SystemExit(f"VIP became {name!r}")
            except JsonRpcException as error:
                assert "cannot" in str(error), error
        assert await client.text_document_prepare_rename_async(
            t.PrepareRenameParams(**editor.at(uri, place(LIST, "spot + margin")))
        ) is None, "spot comes from outside"

        tokens = await client.text_document_semantic_tokens_full_async(t.SemanticTokensParams(text_document=document))
        legend = editor.server.capabilities.semantic_tokens_provider.legend.token_types
        line = start = 0
        seen = []
        for down, right, length, kind, _ in zip(*[iter(tokens.data)] * 5):
            line, start = line + down, right if down else start + right
            units = LIST.split("\n")[line].encode("utf-16-le")[2 * start : 2 * (start + length)]
            seen.append((units.decode("utf-16-le"), legend[kind]))
        assert ('"Hotel Ø 🚗"', "string") in seen and ("margin", "variable") in seen and ("VIP", "enumMember") in seen, seen

        lenses = await client.text_document_code_lens_async(t.CodeLensParams(text_document=document))
        titles = [one.command.title for one in lenses]
        assert titles == [
            "✗ 1 of 2 tests failed, 4 of 4 price lines reached",
            "✓ run test: passed",
            "✗ run test: expected 2.00 EUR, got 1.50 EUR",
        ], titles
        failed = await editor.found(uri, test=lambda found: len(found) > 0)
        assert "expected 2.00 EUR, got 1.50 EUR" in failed[0].message, failed
        assert failed[0].range.start.line == LIST.split("\n").index("  expect energy 2.00 EUR", 20)
        command = lenses[2].command
        done = await client.workspace_execute_command_async(
            t.ExecuteCommandParams(command=command.command, arguments=command.arguments)
        )
        tests = done["tests"] if isinstance(done, dict) else done.tests
        assert len(tests) == 1
        for _ in range(100):
            await asyncio.sleep(0 if editor.messages else 0.05)
        assert editor.messages == ["1 of 1 test failed"], editor.messages

        crooked = LIST.replace("  spot + margin  otherwise", "\tspot+margin otherwise")
        editor.change(uri, 2, t.TextDocumentContentChangeWholeDocument(text=crooked))
        await editor.found(uri, 2)
        options = t.FormattingOptions(tab_size=2, insert_spaces=True)
        edits = await client.text_document_formatting_async(
            t.DocumentFormattingParams(text_document=document, options=options)
        )
        tidy = applied(crooked, edits)
        assert "  spot + margin  otherwise" in tidy and len(edits) == 1, tidy
        assert edits[0].range.start.line >= 11, "only what changes is touched"
        editor.change(uri, 3, t.TextDocumentContentChangeWholeDocument(text=tidy.replace("\n", "\r\n")))
        await editor.found(uri, 3)
        edits = await client.text_document_formatting_async(
            t.DocumentFormattingParams(text_document=document, options=options)
        )
        assert list(edits) == [], edits


async def advice(program):
    """Advice shows as hints, and can be called fine; a line without a test gets one."""
    async with Editor(program) as editor:
        uri = "file:///nowhere/advice.tariff"
        text = LIST.split("test ")[0].replace("0.20 EUR/kWh", "20 EUR/kWh")
        editor.open(uri, text)
        found = await editor.found(uri, 1)
        assert codes(found) == ["L05", "L12"] and all(one.severity == t.DiagnosticSeverity.Hint for one in found)

        async def actions(at):
            return await editor.client.text_document_code_action_async(
                t.CodeActionParams(
                    text_document=t.TextDocumentIdentifier(uri=uri),
                    range=at,
                    context=t.CodeActionContext(diagnostics=found),
                )
            )

        all_actions = await actions(found[1].range)
        fine = next(one for one in all_actions if one.title == "L12 is fine here")
        text = applied(text, fine.edit.changes[uri])
        add = next(one for one in all_actions if one.title.startswith("add a test that reaches"))
        text = applied(text, add.edit.changes[uri])
        editor.change(uri, 2, t.TextDocumentContentChangeWholeDocument(text=text))
        assert codes(await editor.found(uri, 2)) == [], text
        lenses = await editor.client.text_document_code_lens_async(
            t.CodeLensParams(text_document=t.TextDocumentIdentifier(uri=uri))
        )
        assert lenses[0].command.title.startswith("✓ 1 of 1 tests passed"), lenses[0].command.title


async def bases(program):
    """`based on`: the open text counts before the disk, changes of a base are seen, rename crosses files."""
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder).resolve()
        base, leaf, other = folder / "base.tariff", folder / "sub" / "leaf ø.tariff", folder / "other.tariff"
        leaf.parent.mkdir()
        head = LIST.split("test ")[0]
        base.write_text(head)
        text = 'tariff "Leaf"\n  based on: "../base.tariff"\n\nchange price margin: 0.06 EUR/kWh\n\nstart fee: 1.00 EUR/session for VIP\n'
        leaf.write_text(text)
        other.write_text('tariff "Other"\n  based on: "base.tariff"\n\nstart fee: 1.00 EUR/session for guests, VIP\n')
        async with Editor(program, folders=[folder]) as editor:
            uri, base_uri = leaf.as_uri(), base.as_uri()
            editor.open(uri, text)
            found = await editor.found(uri, 1)
            assert [it for it in codes(found) if it.startswith("E")] == ["E301"], found
            text = text.replace(" for VIP", "\n  free otherwise").replace("fee: 1.00", "fee:\n  1.00")
            text = text.replace("session\n", "session for VIP\n")
            editor.change(uri, 2, t.TextDocumentContentChangeWholeDocument(text=text))
            assert [it for it in codes(await editor.found(uri, 2)) if it.startswith("E")] == []
            where = editor.at(uri, place(text, "VIP"))
            found = await editor.client.text_document_definition_async(t.DefinitionParams(**where))
            assert [it.uri for it in found] == [base_uri], found
            assert found[0].range.start == place(head, "VIP")
            on_base = editor.at(uri, place(text, "../base"))
            found = await editor.client.text_document_definition_async(t.DefinitionParams(**on_base))
            assert [it.uri for it in found] == [base_uri]
            edit = await editor.client.text_document_rename_async(t.RenameParams(**where, new_name="gold"))
            assert set(edit.changes) == {uri, base_uri, other.as_uri()}, edit.changes
            # The base is opened and its text changed, but not saved.
            editor.open(base_uri, head.replace("VIP", "gold"))
            found = await editor.found(uri, 2, lambda found: "E101" in codes(found))
            # It is closed without being saved: the disk counts again.
            editor.client.text_document_did_close(
                t.DidCloseTextDocumentParams(text_document=t.TextDocumentIdentifier(uri=base_uri))
            )
            await editor.found(uri, 2, lambda found: "E101" not in codes(found))
            # Somebody else writes the file.
            base.write_text(head.replace("0.20 EUR", "0,20 EUR"))
            changed = t.FileEvent(uri=base_uri, type=t.FileChangeType.Changed)
            editor.client.workspace_did_change_watched_files(t.DidChangeWatchedFilesParams(changes=[changed]))
            found = await editor.found(uri, 2, lambda found: "E025" in codes(found))
            assert "base.tariff` has errors" in found[0].message and found[0].range.start.line == 1, found
            assert found[0].related_information[0].location.uri == base_uri
            base.unlink()
            gone = t.FileEvent(uri=base_uri, type=t.FileChangeType.Deleted)
            editor.client.workspace_did_change_watched_files(t.DidChangeWatchedFilesParams(changes=[gone]))
            await editor.found(uri, 2, lambda found: "E114" in codes(found))
            base.write_text(head)
            back = t.FileEvent(uri=base_uri, type=t.FileChangeType.Created)
            editor.client.workspace_did_change_watched_files(t.DidChangeWatchedFilesParams(changes=[back]))
            await editor.found(uri, 2, lambda found: "E114" not in codes(found))
            assert editor.registered == ["workspace/didChangeWatchedFiles"]


async def nonsense(program):
    """Places that are not there, files that are not open, texts that are none: there is always an answer."""
    texts = [LIST, "", "\ufeff\r\n\r\r\t\t🚗", LIST.replace("\n", "\r\n"), LIST.replace("  ", "\t"), '"🚗\n\n  "', "energy:\n" * 50]
    places = [(0, 0), (0, 2147483647), (2147483647, 0), (99999, 99999), (0, 17), (12, 3), (1, 1)]
    async with Editor(program) as editor:
        client = editor.client
        for number, text in enumerate(texts):
            uri = ["file:///nowhere/%F0%9F%9A%97 .tariff".replace(" ", "%20"), "untitled:x", "git:/a/b.tariff?x", "file:///"][number % 4]
            editor.open(uri, text, number)
            await editor.found(uri, number)
            document = t.TextDocumentIdentifier(uri=uri)
            for line, character in places:
                at = editor.at(uri, t.Position(line=line, character=character))
                end = t.Position(line=0, character=3)
                whole = t.Range(start=at["position"], end=end)
                await client.text_document_hover_async(t.HoverParams(**at))
                await client.text_document_completion_async(t.CompletionParams(**at))
                await client.text_document_definition_async(t.DefinitionParams(**at))
                await client.text_document_prepare_rename_async(t.PrepareRenameParams(**at))
                await client.text_document_document_highlight_async(t.DocumentHighlightParams(**at))
                try:
                    await client.text_document_rename_async(t.RenameParams(**at, new_name="x"))
                except JsonRpcException:
                    pass
                context = t.CodeActionContext(diagnostics=[])
                await client.text_document_code_action_async(
                    t.CodeActionParams(text_document=document, range=whole, context=context)
                )
                editor.change(uri, number, t.TextDocumentContentChangePartial(range=whole, text="🚗\r"))
            await client.text_document_semantic_tokens_full_async(t.SemanticTokensParams(text_document=document))
            await client.text_document_document_symbol_async(t.DocumentSymbolParams(text_document=document))
            await client.text_document_code_lens_async(t.CodeLensParams(text_document=document))
        stranger = editor.at("file:///not/open.tariff", t.Position(line=0, character=0))
        assert await client.text_document_hover_async(t.HoverParams(**stranger)) is None
        editor.change("file:///not/open.tariff", 1, t.TextDocumentContentChangeWholeDocument(text="x"))
        for command, arguments in [("takst.runTests", ["file:///not/open.tariff"]), ("takst.runTests", []), ("x", [])]:
            try:
                await client.workspace_execute_command_async(t.ExecuteCommandParams(command=command, arguments=arguments))
                raise SystemExit(f"{command} {arguments} was done")
            except JsonRpcException as error:
                assert str(error), error
        editor.open("file:///nowhere/last.tariff", LIST)
        assert codes(await editor.found("file:///nowhere/last.tariff")) == [], "it still answers"


if __name__ == "__main__":
    asyncio.run(globals()[sys.argv[2]](sys.argv[1]))
    print("fine")
