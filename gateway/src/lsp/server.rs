//! The protocol: who asks what. Everything is worked out elsewhere.

use super::actions::{self, RUN_TESTS};
use super::workspace::{Open, Workspace, path_of};
use super::{convert, rename};
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};
use takst_dsl::editor::{Encoding, complete, definition, hover, references};
use takst_engine::units::Day;
use tower_lsp_server::jsonrpc::{Error, Result};
use tower_lsp_server::ls_types::*;
use tower_lsp_server::{Client, LanguageServer};

/// What answers an editor.
pub struct Backend {
    client: Client,
    workspace: Mutex<Workspace>,
    watches: Mutex<bool>,
}

/// What an editor may set: in `initializationOptions`, or as `takst` in its settings.
#[derive(serde::Deserialize, Default)]
#[serde(default)]
struct Options {
    prices: Vec<PathBuf>,
    today: Option<String>,
}

impl Options {
    fn day(&self) -> Option<Day> {
        let mut parts = self.today.as_deref()?.split('-');
        let mut next = || parts.next()?.parse::<u32>().ok();
        let (year, month, day) = (next()?, next()?, next()?);
        takst_engine::calendar::date(
            i32::try_from(year).ok()?,
            u8::try_from(month).ok()?,
            u8::try_from(day).ok()?,
        )
    }
}

impl Backend {
    pub fn new(client: Client) -> Self {
        Self { client, workspace: Mutex::new(Workspace::default()), watches: Mutex::new(false) }
    }

    fn workspace(&self) -> MutexGuard<'_, Workspace> {
        // A panic elsewhere leaves texts as they were: they are still worth asking about.
        self.workspace.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Shows what was found in files that were checked.
    async fn show(&self, checked: Vec<String>) {
        let all: Vec<(Uri, Vec<Diagnostic>, i32)> = {
            let workspace = self.workspace();
            let one = |address: &String| {
                let uri: Uri = address.parse().ok()?;
                let open = workspace.get(&uri)?;
                Some((uri.clone(), convert::problems(&workspace, &uri, open), open.version))
            };
            checked.iter().filter_map(one).collect()
        };
        for (uri, found, version) in all {
            self.client.publish_diagnostics(uri, found, Some(version)).await;
        }
    }

    /// An answer about an open file; none for a file that is not.
    fn about<T>(&self, uri: &Uri, answer: impl FnOnce(&Workspace, &Open) -> Option<T>) -> Option<T> {
        let workspace = self.workspace();
        let open = workspace.get(uri)?;
        answer(&workspace, open)
    }

    fn take(&self, options: Options) {
        let mut workspace = self.workspace();
        workspace.today = options.day();
        workspace.prices = options.prices;
        workspace.forget_outcomes();
    }
}

impl LanguageServer for Backend {
    async fn initialize(&self, params: InitializeParams) -> Result<InitializeResult> {
        let offered =
            params.capabilities.general.and_then(|general| general.position_encodings).unwrap_or_default();
        let utf8 = offered.contains(&PositionEncodingKind::UTF8);
        let watched =
            params.capabilities.workspace.as_ref().and_then(|it| it.did_change_watched_files.as_ref());
        let watches = watched.and_then(|it| it.dynamic_registration).unwrap_or(false);
        *self.watches.lock().unwrap_or_else(PoisonError::into_inner) = watches;
        if let Some(options) = params.initialization_options.and_then(|it| serde_json::from_value(it).ok()) {
            self.take(options);
        }
        {
            let mut workspace = self.workspace();
            workspace.encoding = if utf8 { Encoding::Utf8 } else { Encoding::Utf16 };
            let folders = params.workspace_folders.unwrap_or_default();
            workspace.folders = folders.iter().filter_map(|folder| path_of(&folder.uri)).collect();
        }
        let kind = if utf8 { PositionEncodingKind::UTF8 } else { PositionEncodingKind::UTF16 };
        Ok(InitializeResult {
            capabilities: capabilities(kind),
            server_info: Some(about_us()),
            ..Default::default()
        })
    }

    async fn initialized(&self, _: InitializedParams) {
        if !*self.watches.lock().unwrap_or_else(PoisonError::into_inner) {
            return;
        }
        let client = self.client.clone();
        // The editor's answer comes in like any other message: nobody must wait for it here.
        tokio::spawn(async move {
            let watchers = serde_json::json!({"watchers": [{"globPattern": "**/*.tariff"}]});
            let watch = Registration {
                id: "takst-files".to_owned(),
                method: "workspace/didChangeWatchedFiles".to_owned(),
                register_options: Some(watchers),
            };
            // An editor that refuses is one without news from the disk.
            let _ = client.register_capability(vec![watch]).await;
        });
    }

    async fn shutdown(&self) -> Result<()> {
        Ok(())
    }

    async fn did_open(&self, params: DidOpenTextDocumentParams) {
        let TextDocumentItem { uri, text, version, .. } = params.text_document;
        let checked = self.workspace().set(&uri, text, version);
        self.show(checked).await;
    }

    async fn did_change(&self, params: DidChangeTextDocumentParams) {
        let VersionedTextDocumentIdentifier { uri, version } = params.text_document;
        let checked = self.workspace().change(&uri, version, params.content_changes);
        self.show(checked).await;
    }

    async fn did_close(&self, params: DidCloseTextDocumentParams) {
        let uri = params.text_document.uri;
        let checked = self.workspace().close(&uri);
        self.client.publish_diagnostics(uri, Vec::new(), None).await;
        self.show(checked).await;
    }

    async fn did_change_watched_files(&self, params: DidChangeWatchedFilesParams) {
        let checked: Vec<String> = {
            let mut workspace = self.workspace();
            let paths = params.changes.iter().filter_map(|change| path_of(&change.uri));
            let mut checked: Vec<String> = paths.flat_map(|path| workspace.moved(&path)).collect();
            checked.sort_unstable();
            checked.dedup();
            checked
        };
        self.show(checked).await;
    }

    async fn did_change_configuration(&self, params: DidChangeConfigurationParams) {
        let ours = params.settings.get("takst").cloned().unwrap_or_default();
        if let Ok(options) = serde_json::from_value(ours) {
            self.take(options);
        }
    }

    async fn did_change_workspace_folders(&self, params: DidChangeWorkspaceFoldersParams) {
        let mut workspace = self.workspace();
        let gone: Vec<PathBuf> = params.event.removed.iter().filter_map(|it| path_of(&it.uri)).collect();
        workspace.folders.retain(|folder| !gone.contains(folder));
        workspace.folders.extend(params.event.added.iter().filter_map(|it| path_of(&it.uri)));
    }

    async fn hover(&self, params: HoverParams) -> Result<Option<Hover>> {
        let TextDocumentPositionParams { text_document, position } = params.text_document_position_params;
        let uri = text_document.uri;
        self.workspace().run(&uri);
        Ok(self.about(&uri, |workspace, open| {
            let byte = open.offset(position, workspace.encoding);
            let ran = open.known().map(super::workspace::Outcome::ran);
            let found = hover(&open.document, byte, &open.compiled, ran, workspace.today(open))?;
            let contents =
                HoverContents::Markup(MarkupContent { kind: MarkupKind::Markdown, value: found.text });
            Some(Hover { contents, range: Some(open.range(found.span, workspace.encoding)) })
        }))
    }

    async fn completion(&self, params: CompletionParams) -> Result<Option<CompletionResponse>> {
        let TextDocumentPositionParams { text_document, position } = params.text_document_position;
        Ok(self.about(&text_document.uri, |workspace, open| {
            let byte = open.offset(position, workspace.encoding);
            let files = beside(workspace, open);
            let items = complete(&open.document, byte, &open.compiled, &files);
            let items =
                items.iter().map(|item| convert::completion(open, item, workspace.encoding)).collect();
            Some(CompletionResponse::Array(items))
        }))
    }

    async fn goto_definition(&self, params: GotoDefinitionParams) -> Result<Option<GotoDefinitionResponse>> {
        let TextDocumentPositionParams { text_document, position } = params.text_document_position_params;
        let uri = text_document.uri;
        Ok(self.about(&uri, |workspace, open| {
            let byte = open.offset(position, workspace.encoding);
            let found = definition(&open.compiled.files, byte);
            let places: Vec<Location> =
                found.into_iter().filter_map(|it| convert::place(workspace, &uri, open, it)).collect();
            (!places.is_empty()).then_some(GotoDefinitionResponse::Array(places))
        }))
    }

    async fn references(&self, params: ReferenceParams) -> Result<Option<Vec<Location>>> {
        let TextDocumentPositionParams { text_document, position } = params.text_document_position;
        let uri = text_document.uri;
        Ok(self.about(&uri, |workspace, open| {
            let byte = open.offset(position, workspace.encoding);
            let (_, found) = references(&open.compiled.files, byte);
            Some(found.into_iter().filter_map(|it| convert::place(workspace, &uri, open, it)).collect())
        }))
    }

    async fn document_highlight(
        &self,
        params: DocumentHighlightParams,
    ) -> Result<Option<Vec<DocumentHighlight>>> {
        let TextDocumentPositionParams { text_document, position } = params.text_document_position_params;
        Ok(self.about(&text_document.uri, |workspace, open| {
            let byte = open.offset(position, workspace.encoding);
            let (_, found) = references(&open.compiled.files, byte);
            let here = found.into_iter().filter(|it| it.source == 0);
            let light = |it: takst_dsl::editor::Found| DocumentHighlight {
                range: open.range(it.span, workspace.encoding),
                kind: None,
            };
            Some(here.map(light).collect())
        }))
    }

    async fn prepare_rename(
        &self,
        params: TextDocumentPositionParams,
    ) -> Result<Option<PrepareRenameResponse>> {
        let TextDocumentPositionParams { text_document, position } = params;
        Ok(self.about(&text_document.uri, |workspace, open| {
            let found = rename::renamable(open, open.offset(position, workspace.encoding)).ok()?;
            Some(PrepareRenameResponse::RangeWithPlaceholder {
                range: open.range(found.span, workspace.encoding),
                placeholder: found.name,
            })
        }))
    }

    async fn rename(&self, params: RenameParams) -> Result<Option<WorkspaceEdit>> {
        let TextDocumentPositionParams { text_document, position } = params.text_document_position;
        let uri = text_document.uri;
        let done = self.about(&uri, |workspace, open| {
            let byte = open.offset(position, workspace.encoding);
            Some(rename::rename(workspace, &uri, open, byte, &params.new_name))
        });
        done.transpose().map_err(Error::invalid_params)
    }

    async fn document_symbol(&self, params: DocumentSymbolParams) -> Result<Option<DocumentSymbolResponse>> {
        Ok(self.about(&params.text_document.uri, |workspace, open| {
            Some(DocumentSymbolResponse::Nested(convert::outline(open, workspace.encoding)))
        }))
    }

    async fn formatting(&self, params: DocumentFormattingParams) -> Result<Option<Vec<TextEdit>>> {
        Ok(self.about(&params.text_document.uri, actions::layout))
    }

    async fn semantic_tokens_full(
        &self,
        params: SemanticTokensParams,
    ) -> Result<Option<SemanticTokensResult>> {
        Ok(self.about(&params.text_document.uri, |workspace, open| {
            let data = convert::semantic_tokens(open, workspace.encoding);
            Some(SemanticTokensResult::Tokens(SemanticTokens { result_id: None, data }))
        }))
    }

    async fn code_lens(&self, params: CodeLensParams) -> Result<Option<Vec<CodeLens>>> {
        let uri = params.text_document.uri;
        // Running the tests tells which of them fail: that is shown where they stand.
        let failed =
            self.workspace().run(&uri).is_some_and(|ran| ran.results.iter().any(|test| !test.passed()));
        if failed {
            self.show(vec![uri.as_str().to_owned()]).await;
        }
        Ok(self.about(&uri, |workspace, open| Some(actions::lenses(workspace, &uri, open))))
    }

    async fn code_action(&self, params: CodeActionParams) -> Result<Option<CodeActionResponse>> {
        let uri = params.text_document.uri;
        self.workspace().run(&uri);
        Ok(self.about(&uri, |workspace, open| {
            let mut found =
                actions::actions(workspace, &uri, open, params.range, &params.context.diagnostics);
            if let Some(only) = &params.context.only {
                found.retain(|action| match action {
                    CodeActionOrCommand::CodeAction(action) => {
                        let kind = action.kind.as_ref().map_or("", CodeActionKind::as_str);
                        only.iter().any(|wanted| {
                            let wanted = wanted.as_str();
                            kind == wanted || kind.starts_with(&format!("{wanted}.")) || wanted.is_empty()
                        })
                    }
                    CodeActionOrCommand::Command(_) => true,
                });
            }
            Some(found)
        }))
    }

    async fn execute_command(&self, params: ExecuteCommandParams) -> Result<Option<LSPAny>> {
        if params.command != RUN_TESTS {
            return Err(Error::invalid_params(format!("there is no command `{}`", params.command)));
        }
        let text = |at: usize| params.arguments.get(at).and_then(|it| it.as_str());
        let uri: Option<Uri> = text(0).and_then(|uri| uri.parse().ok());
        let Some(uri) = uri else {
            return Err(Error::invalid_params("say which file: its address comes first"));
        };
        let name = text(1);
        let report = {
            let mut workspace = self.workspace();
            let has_errors = workspace.get(&uri).is_none_or(Open::has_errors);
            let ran = workspace.run(&uri);
            match ran {
                None if has_errors => {
                    return Err(Error::invalid_params("the file is not open, or has errors"));
                }
                None => return Err(Error::invalid_params("the list leaves prices to be set by each list")),
                Some(ran) => {
                    let wanted = ran.results.iter().filter(|test| name.is_none_or(|name| name == test.name));
                    let tests: Vec<_> = wanted
                        .map(|test| {
                            serde_json::json!({
                                "name": test.name,
                                "passed": test.passed(),
                                "failures": test.failures,
                            })
                        })
                        .collect();
                    tests
                }
            }
        };
        let failed = report.iter().filter(|test| test["passed"] == false).count();
        self.show(vec![uri.as_str().to_owned()]).await;
        let (kind, message) = match failed {
            0 => (MessageType::INFO, format!("{} passed", tests_text(report.len()))),
            some => (MessageType::WARNING, format!("{some} of {} failed", tests_text(report.len()))),
        };
        self.client.show_message(kind, message).await;
        Ok(Some(serde_json::json!({ "tests": report })))
    }
}

fn tests_text(count: usize) -> String {
    if count == 1 { "1 test".to_owned() } else { format!("{count} tests") }
}

/// The lists on which an open one could be based, as it would name them: those beside it and below.
fn beside(workspace: &Workspace, open: &Open) -> Vec<String> {
    let Some(folder) = open.path.as_deref().and_then(std::path::Path::parent) else { return Vec::new() };
    let others = workspace.files_around(open.path.as_deref());
    let others = others.iter().filter(|path| Some(path.as_path()) != open.path.as_deref());
    others.filter_map(|path| path.strip_prefix(folder).ok()).map(|path| path.display().to_string()).collect()
}

fn about_us() -> ServerInfo {
    ServerInfo { name: "takst".to_owned(), version: Some(env!("CARGO_PKG_VERSION").to_owned()) }
}

fn capabilities(encoding: PositionEncodingKind) -> ServerCapabilities {
    let tokens = SemanticTokensOptions {
        legend: convert::legend(),
        full: Some(SemanticTokensFullOptions::Bool(true)),
        ..SemanticTokensOptions::default()
    };
    let actions = CodeActionOptions {
        code_action_kinds: Some(vec![
            CodeActionKind::QUICKFIX,
            CodeActionKind::SOURCE_FIX_ALL,
            CodeActionKind::REFACTOR,
        ]),
        ..CodeActionOptions::default()
    };
    let triggers = [" ", ":", "\"", "/", ","].map(str::to_owned).to_vec();
    ServerCapabilities {
        position_encoding: Some(encoding),
        text_document_sync: Some(TextDocumentSyncCapability::Kind(TextDocumentSyncKind::INCREMENTAL)),
        hover_provider: Some(HoverProviderCapability::Simple(true)),
        completion_provider: Some(CompletionOptions {
            trigger_characters: Some(triggers),
            ..Default::default()
        }),
        definition_provider: Some(OneOf::Left(true)),
        references_provider: Some(OneOf::Left(true)),
        document_highlight_provider: Some(OneOf::Left(true)),
        document_symbol_provider: Some(OneOf::Left(true)),
        document_formatting_provider: Some(OneOf::Left(true)),
        rename_provider: Some(OneOf::Right(RenameOptions {
            prepare_provider: Some(true),
            work_done_progress_options: WorkDoneProgressOptions::default(),
        })),
        semantic_tokens_provider: Some(tokens.into()),
        code_lens_provider: Some(CodeLensOptions { resolve_provider: Some(false) }),
        code_action_provider: Some(CodeActionProviderCapability::Options(actions)),
        execute_command_provider: Some(ExecuteCommandOptions {
            commands: vec![RUN_TESTS.to_owned()],
            ..ExecuteCommandOptions::default()
        }),
        workspace: Some(WorkspaceServerCapabilities {
            workspace_folders: Some(WorkspaceFoldersServerCapabilities {
                supported: Some(true),
                change_notifications: Some(OneOf::Left(true)),
            }),
            ..WorkspaceServerCapabilities::default()
        }),
        ..ServerCapabilities::default()
    }
}
