" Takst tariffs. Words as in the language's own grammar; a test compares them.
if exists("b:current_syntax")
  finish
endif

" A hyphen belongs to a name: `ad-hoc`, `feed-in`, `grid-rent`.
syntax iskeyword @,48-57,_,-,192-255

syntax keyword tariffKeyword VAT a ad-hoc after and applies at average-power below beyond by change charge charger
syntax keyword tariffKeyword chargers charging connected contract cost coupon credit daily day discount drawing driver
syntax keyword tariffKeyword during each else energy every everyone except excluding exempt expect expired fee feed
syntax keyword tariffKeyword feed-in first flat for free from groups higher highest holds holidays hour hourly hours
syntax keyword tariffKeyword idle in including invoice keep least less list lower mean min month monthly more most net
syntax keyword tariffKeyword new next none not occupied of on once one-off only or otherwise outside paid parking pause
syntax keyword tariffKeyword payment payout peaks pending per period plan plus power price prices public remove
syntax keyword tariffKeyword reservation reserved roaming rounded row scope session set site sites spot start steps
syntax keyword tariffKeyword tariff tax test than this time times to today top total until up used value via wait when
syntax keyword tariffKeyword while whole with without
syntax keyword tariffUnit A MWh bill cent centavo centavos charger ct day h kW kWh min month ore session öre øre

" Days and months may be joined by a hyphen: `Mon-Fri`.
syntax match tariffCalendar /\v[^A-Za-z]\zs%(Apr|Aug|Dec|Feb|Fri|Jan|Jul|Jun|Mar|May|Mon|Nov|Oct|Sat|Sep|Sun|Thu|Tue|Wed|first|fourth|last|second|third)%([-–]%(Apr|Aug|Dec|Feb|Fri|Jan|Jul|Jun|Mar|May|Mon|Nov|Oct|Sat|Sep|Sun|Thu|Tue|Wed))?\ze%([^A-Za-z]|$)/
syntax match tariffSetting /\v^\s+%(based\s+on|bills|currency|description|hold|prices|public\s+holidays|receipt\s+lines|running\s+sessions|source|spot\s+area|time\s+zone|valid\s+from|valid\s+until|website)\ze\s*:/
syntax match tariffNumber /\v<\d{4}-\d{2}%(-\d{2})?>|<\d{2}:\d{2}|<\d+%(\.\d+)?/
syntax match tariffCurrency /\v<\u{3}>/
syntax match tariffOperator /[+*/×%–−]/
syntax region tariffString start=/"/ end=/"/ oneline
syntax match tariffComment /#.*$/

highlight default link tariffKeyword Keyword
highlight default link tariffUnit Type
highlight default link tariffCalendar Constant
highlight default link tariffSetting Identifier
highlight default link tariffNumber Number
highlight default link tariffCurrency Type
highlight default link tariffOperator Operator
highlight default link tariffString String
highlight default link tariffComment Comment

let b:current_syntax = "tariff"
