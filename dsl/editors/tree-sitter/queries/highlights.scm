; Colours. The words are those of the language's own grammar: `cargo test -p takst-dsl --test editors` compares them.

(comment) @comment
(string) @string
(number) @constant.numeric
(moment) @constant.numeric
(operator) @operator
(punctuation) @punctuation.delimiter

; Days, and from day to day: `Mon-Fri`.
((word) @constant.builtin
  (#match? @constant.builtin "^(Mon|Tue|Wed|Thu|Fri|Sat|Sun|Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)(-(Mon|Tue|Wed|Thu|Fri|Sat|Sun|Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec))?$"))

((word) @type
  (#match? @type "^[A-Z][A-Z][A-Z]$")
  (#not-eq? @type "VAT"))

((word) @keyword
  (#any-of? @keyword
    "VAT" "a" "ad-hoc" "after" "and" "applies" "at" "average-power" "below" "beyond" "by" "change" "charge" "charger"
    "chargers" "charging" "connected" "contract" "cost" "coupon" "credit" "daily" "day" "discount" "drawing" "driver"
    "during" "each" "else" "energy" "every" "everyone" "except" "excluding" "exempt" "expect" "expired" "fee" "feed"
    "feed-in" "first" "flat" "for" "free" "from" "groups" "higher" "highest" "holds" "holidays" "hour" "hourly"
    "hours" "idle" "in" "including" "invoice" "keep" "least" "less" "list" "lower" "mean" "min" "month" "monthly"
    "more" "most" "net" "new" "next" "none" "not" "occupied" "of" "on" "once" "one-off" "only" "or" "otherwise"
    "outside" "paid" "parking" "pause" "payment" "payout" "peaks" "pending" "per" "period" "plan" "plus" "power"
    "price" "prices" "public" "remove" "reservation" "reserved" "roaming" "rounded" "row" "scope" "session" "set"
    "site" "sites" "spot" "start" "steps" "tariff" "tax" "test" "than" "this" "time" "times" "to" "today" "top"
    "total" "until" "up" "used" "value" "via" "wait" "when" "while" "whole" "with" "without"))

((word) @constant.builtin
  (#any-of? @constant.builtin
    "first" "fourth" "last" "second" "third"))

; Behind a number or a slash.
(((number) . (word) @type)
  (#any-of? @type
    "A" "MWh" "bill" "cent" "centavo" "centavos" "charger" "ct" "day" "h" "kW" "kWh" "min" "month" "ore" "session"
    "öre" "øre"))
(((operator) @_per . (word) @type)
  (#eq? @_per "/")
  (#any-of? @type
    "A" "MWh" "bill" "charger" "day" "h" "kW" "kWh" "min" "month" "session"))

; The settings below `tariff`.
((setting
  key: (key
    (word) @property) @_key)
  (#match? @_key "^(based +on|bills|currency|description|hold|prices|public +holidays|receipt +lines|running +sessions|source|spot +area|time +zone|valid +from|valid +until|website)$"))
