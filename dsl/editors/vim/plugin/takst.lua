-- Neovim: starts `takst lsp` for tariff files. The program is `vim.g.takst_path`, or `takst`; price files, with which lines
-- that follow the spot price show what they cost today, are in `vim.g.takst_prices`.
local group = vim.api.nvim_create_augroup("takst", { clear = true })
local started = {}

local function settings(folder)
  local uri = vim.uri_from_fname(folder)
  return {
    name = "takst",
    cmd = { vim.g.takst_path or "takst", "lsp" },
    root_dir = folder,
    init_options = { prices = vim.g.takst_prices or {} },
    workspace_folders = { { uri = uri, name = folder } },
  }
end

local function attach(buffer)
  local name = vim.api.nvim_buf_get_name(buffer)
  local folder = name ~= "" and vim.fn.fnamemodify(name, ":p:h") or vim.fn.getcwd()
  if vim.lsp.start then
    vim.lsp.start(settings(folder), { bufnr = buffer })
    return
  end
  -- Before Neovim 0.8.
  started[folder] = started[folder] or vim.lsp.start_client(settings(folder))
  if started[folder] then
    vim.lsp.buf_attach_client(buffer, started[folder])
  end
end

vim.api.nvim_create_autocmd("FileType", {
  group = group,
  pattern = "tariff",
  callback = function(event)
    attach(event.buf)
  end,
})
