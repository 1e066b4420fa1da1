// The shape of tariff files for editors that colour by tree-sitter: statements, their indented lines, words, numbers, texts, comments.
// Which words there are is said in `queries/highlights.scm`: a word that is new to the language needs no new parser.
//
// Any text has a tree: mistakes are the language server's business.

module.exports = grammar({
  name: "tariff",

  extras: ($) => [/[ \t\f\uFEFF]/, $.comment],

  conflicts: ($) => [[$.key, $._item]],

  rules: {
    source_file: ($) => seq(optional($._first), repeat(seq($._margin, optional($.statement)))),
    // Nothing stands before the first statement but blanks.
    _first: ($) => seq(optional($._indent), $.statement),

    // A line at the margin and the indented ones below it.
    statement: ($) => seq(choice($._keyed, $._plain), repeat(seq($._indent, optional(choice($.setting, $.line))))),

    line: ($) => $._plain,
    setting: ($) => $._keyed,

    // `time zone: Europe/Oslo`, `idle fee after 30 min: 0.10 EUR/min`
    _keyed: ($) => prec.right(seq(field("key", $.key), ":", repeat(choice($._item, ":")))),
    _plain: ($) => prec.right(repeat1($._item)),
    key: ($) => repeat1(choice($.word, $.number, $.moment, $.string, $.operator, $.punctuation)),

    _item: ($) => choice($.word, $.number, $.moment, $.string, $.operator, $.punctuation),

    // Line ends: the next line stands at the margin, or it is indented. Longest first, so that blank lines in between do not end a statement.
    _margin: () => /\r?\n/,
    _indent: () => /(\r?\n[ \t]*)*\r?\n[ \t]+/,

    comment: () => token(/#[^\r\n]*/),
    string: () => token(/"[^"\r\n]*"?/),
    // A date, a month, a time of day.
    moment: () => token(prec(1, choice(/[0-9]{4}-[0-9]{2}(-[0-9]{2})?/, /[0-9]{2}:[0-9]{2}/))),
    number: () => token(/[0-9]+(\.[0-9]+)?/),
    word: () => token(/[\p{L}_][\p{L}\p{N}_]*(-[\p{L}\p{N}]+)*/),
    operator: () => token(choice("+", "-", "–", "—", "−", "*", "×", "/", "%")),
    punctuation: () => token(choice(",", "(", ")", /[^\s#"0-9\p{L}_:+\-–—−*×\/%,()]/)),
  },
});
