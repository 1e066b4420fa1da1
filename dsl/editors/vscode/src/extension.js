// Starts `takst lsp` and lets it answer. All knowledge of the language is there.
const { workspace, window } = require("vscode");
const { LanguageClient } = require("vscode-languageclient/node");

let client;

function settings() {
  const ours = workspace.getConfiguration("takst");
  return { prices: ours.get("prices", []) };
}

async function activate(context) {
  const command = workspace.getConfiguration("takst").get("path", "takst");
  const run = { command, args: ["lsp"] };
  client = new LanguageClient("takst", "Takst", { run, debug: run }, {
    documentSelector: [{ language: "tariff" }],
    initializationOptions: settings(),
    synchronize: { configurationSection: "takst" },
  });
  context.subscriptions.push({ dispose: () => client.stop() });
  try {
    await client.start();
  } catch (error) {
    window.showErrorMessage(
      `The program \`${command}\` could not be started: ${error.message}. Install takst, or set takst.path.`,
    );
  }
}

function deactivate() {
  return client?.stop();
}

module.exports = { activate, deactivate };
