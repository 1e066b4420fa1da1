autocmd BufRead,BufNewFile *.tariff setfiletype tariff
