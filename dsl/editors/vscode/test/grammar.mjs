// The grammar reads the files named as arguments: every word of the language that stands outside of texts and comments has a
// scope, and so have texts, comments and numbers.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";
import { dirname, join } from "node:path";

const require = createRequire(import.meta.url);
const textmate = require("vscode-textmate");
const oniguruma = require("vscode-oniguruma");

const here = dirname(fileURLToPath(import.meta.url));
const wasm = readFileSync(require.resolve("vscode-oniguruma").replace(/main\.js$/, "onig.wasm"));
await oniguruma.loadWASM(wasm.buffer.slice(wasm.byteOffset, wasm.byteOffset + wasm.byteLength));
const path = join(here, "../syntaxes/tariff.tmLanguage.json");
const source = readFileSync(path, "utf8");
const registry = new textmate.Registry({
  onigLib: Promise.resolve({
    createOnigScanner: (patterns) => new oniguruma.OnigScanner(patterns),
    createOnigString: (text) => new oniguruma.OnigString(text),
  }),
  loadGrammar: async () => textmate.parseRawGrammar(source, path),
});
const grammar = await registry.loadGrammar("source.tariff");

function scopes(text) {
  let state = textmate.INITIAL;
  return text.split("\n").map((line) => {
    const read = grammar.tokenizeLine(line, state);
    state = read.ruleStack;
    return read.tokens.map((token) => ({
      text: line.slice(token.startIndex, token.endIndex),
      scope: token.scopes.length > 1 ? token.scopes.at(-1).replace(/\.tariff$/, "") : "",
    }));
  });
}

function same(got, wanted, what) {
  const [a, b] = [JSON.stringify(got), JSON.stringify(wanted)];
  if (a !== b) throw new Error(`${what}\n got ${a}\n not ${b}`);
}

const line = scopes('energy: spot + grid-rent  during Mon-Fri 08:00-20:00  # for "all"')[0];
same(
  line.filter((token) => token.scope).map((token) => [token.text.trim(), token.scope]),
  [
    ["energy", "keyword.other"],
    ["spot", "keyword.other"],
    ["+", "keyword.operator"],
    ["grid-rent", "variable.other"],
    ["during", "keyword.other"],
    ["Mon", "constant.language.calendar"],
    ["-", "keyword.operator"],
    ["Fri", "constant.language.calendar"],
    ["08:00", "constant.numeric"],
    ["-", "keyword.operator"],
    ["20:00", "constant.numeric"],
    ['# for "all"', "comment.line.number-sign"],
  ],
  "a price line",
);
const day = scopes("  expect total 15.74 EUR")[0].filter((token) => token.scope);
same(day.map((token) => token.scope), ["keyword.other", "keyword.other", "constant.numeric", "support.type.currency"], "a test");
const key = scopes("  time zone: Europe/Oslo")[0];
same(key.find((token) => token.text === "time zone")?.scope, "support.type.property-name", "a setting");
const setting = scopes('price day-rent: 25 øre/kWh')[0].filter((token) => token.scope).map((token) => token.scope);
same(
  setting,
  ["keyword.other", "entity.name.variable", "constant.numeric", "support.type.money", "keyword.operator", "support.type.unit"],
  "a declaration",
);

let words = 0;
for (const file of process.argv.slice(2)) {
  for (const [number, tokens] of scopes(readFileSync(file, "utf8")).entries()) {
    for (const token of tokens) {
      const bare = token.text.replace(/[\s:,()/]/g, "");
      if (bare !== "" && token.scope === "") throw new Error(`${file}:${number + 1}: \`${token.text}\` has no scope`);
      words += token.scope.startsWith("keyword.other") ? 1 : 0;
    }
  }
}
if (process.argv.length > 2 && words < 100) throw new Error(`only ${words} words of the language were seen`);
console.log(`fine: ${words} words in ${process.argv.length - 2} files`);
