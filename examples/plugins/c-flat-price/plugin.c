// One price for every hour of every day, from a setting. No library, no allocation but what is handed back.
#include "plugin.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

typedef exports_takst_plugin_prices_options_t options;
typedef exports_takst_plugin_prices_error_t error;

// ---- Text that grows. What is handed back is freed by the caller.

typedef struct {
  char *ptr;
  size_t len, room;
} text;

static void add(text *t, const char *bytes, size_t len) {
  if (t->len + len > t->room) {
    t->room = (t->len + len) * 2;
    t->ptr = realloc(t->ptr, t->room);
    if (!t->ptr) abort();
  }
  memcpy(t->ptr + t->len, bytes, len);
  t->len += len;
}

static void say(text *t, const char *words) { add(t, words, strlen(words)); }
static void say_string(text *t, plugin_string_t s) { add(t, (const char *)s.ptr, s.len); }

static plugin_string_t own(const char *words) {
  plugin_string_t s;
  plugin_string_dup(&s, words);
  return s;
}

// ---- Settings.

static bool setting(const options *settings, const char *name, plugin_string_t *value) {
  for (size_t i = 0; i < settings->len; i++) {
    plugin_string_t key = settings->ptr[i].f0;
    if (key.len == strlen(name) && memcmp(key.ptr, name, key.len) == 0) {
      *value = settings->ptr[i].f1;
      return value->len > 0;
    }
  }
  return false;
}

static bool is_decimal(plugin_string_t s) {
  size_t i = s.len > 0 && s.ptr[0] == '-' ? 1 : 0, digits = 0, points = 0;
  for (; i < s.len; i++) {
    if (s.ptr[i] >= '0' && s.ptr[i] <= '9') digits++;
    else if (s.ptr[i] == '.' && digits > 0) points++;
    else return false;
  }
  return digits > 0 && points <= 1 && s.ptr[s.len - 1] != '.';
}

void exports_takst_plugin_configuration_check(options *settings,
                                              exports_takst_plugin_configuration_list_finding_t *findings) {
  plugin_string_t price;
  findings->ptr = NULL;
  findings->len = 0;
  if (setting(settings, "price", &price) && is_decimal(price)) return;
  findings->ptr = malloc(sizeof *findings->ptr);
  if (!findings->ptr) abort();
  findings->len = 1;
  findings->ptr[0].setting = own("price");
  findings->ptr[0].text = own("must be a decimal, as in 0.25");
  findings->ptr[0].error = true;
}

// ---- Dates. Days are counted from 1970-01-01 (the usual arithmetic of the Gregorian calendar, with years that begin in March).

static int64_t day_number(int64_t year, int64_t month, int64_t day) {
  year -= month <= 2;
  int64_t era = (year >= 0 ? year : year - 399) / 400;
  int64_t of_era = year - era * 400;
  int64_t of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
  return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

static bool number(plugin_string_t s, size_t from, size_t len, int64_t *value) {
  *value = 0;
  for (size_t i = from; i < from + len; i++) {
    if (i >= s.len || s.ptr[i] < '0' || s.ptr[i] > '9') return false;
    *value = *value * 10 + (s.ptr[i] - '0');
  }
  return true;
}

static void say_number(text *t, int64_t value, int width) {
  char digits[20];
  int at = (int)sizeof digits;
  for (int i = 0; i < width || value > 0; i++, value /= 10) digits[--at] = (char)('0' + value % 10);
  add(t, digits + at, sizeof digits - (size_t)at);
}

// An instant as RFC 3339 in UTC.
static void say_instant(text *t, int64_t ms) {
  int64_t seconds = ms / 1000, days = seconds / 86400 + 719468;
  int64_t era = days / 146097, of_era = days % 146097;
  int64_t year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
  int64_t of_year = of_era - (365 * year + year / 4 - year / 100);
  int64_t month = (5 * of_year + 2) / 153, day = of_year - (153 * month + 2) / 5 + 1;
  month += month < 10 ? 3 : -9;
  say_number(t, year + era * 400 + (month <= 2), 4);
  say(t, "-"), say_number(t, month, 2);
  say(t, "-"), say_number(t, day, 2);
  say(t, "T"), say_number(t, seconds / 3600 % 24, 2);
  say(t, ":"), say_number(t, seconds / 60 % 60, 2);
  say(t, ":"), say_number(t, seconds % 60, 2);
  say(t, "Z");
}

// The instant at which a day begins on the zone's clock.
static bool midnight(int64_t day, plugin_string_t *zone, int64_t *ms) {
  int32_t offset;
  int64_t noon = (day * 86400 + 43200) * 1000;
  if (!takst_plugin_host_clock_offset(noon, zone, &offset)) return false;
  *ms = (day * 86400 - offset) * 1000;
  // The clock may change between midnight and noon.
  takst_plugin_host_clock_offset(*ms, zone, &offset);
  *ms = (day * 86400 - offset) * 1000;
  return true;
}

static bool refuse(error *err, const char *code, const char *detail) {
  err->code = own(code);
  err->outcome = TAKST_PLUGIN_TYPES_OUTCOME_REFUSED;
  err->detail = own(detail);
  err->retry_after.is_some = false;
  return false;
}

bool exports_takst_plugin_prices_fetch(options *settings, exports_takst_plugin_prices_wanted_t *wanted,
                                       exports_takst_plugin_prices_list_document_t *documents, error *err) {
  plugin_string_t price, unit;
  int64_t year, month, day, from, until;
  if (!setting(settings, "price", &price) || !is_decimal(price))
    return refuse(err, "setting-missing", "the setting `price` must be a decimal");
  if (wanted->day.len != 10 || !number(wanted->day, 0, 4, &year) || !number(wanted->day, 5, 2, &month) ||
      !number(wanted->day, 8, 2, &day))
    return refuse(err, "no-date", "the day is no date");
  if (!midnight(day_number(year, month, day), &wanted->time_zone, &from) ||
      !midnight(day_number(year, month, day) + 1, &wanted->time_zone, &until))
    return refuse(err, "no-zone", "there is no such time zone");

  text body = {0};
  say(&body, "{\"feed\": \""), say_string(&body, wanted->feed);
  say(&body, "\", \"area\": \""), say_string(&body, wanted->area);
  say(&body, "\", \"unit\": \"");
  if (setting(settings, "unit", &unit)) say_string(&body, unit);
  else say(&body, "EUR/kWh");
  say(&body, "\", \"vat_included\": false, \"prices\": [{\"from\": \""), say_instant(&body, from);
  say(&body, "\", \"to\": \""), say_instant(&body, until);
  say(&body, "\", \"price\": \""), say_string(&body, price);
  say(&body, "\"}]}");

  documents->ptr = malloc(sizeof *documents->ptr);
  if (!documents->ptr) abort();
  documents->len = 1;
  documents->ptr[0].body.ptr = (uint8_t *)body.ptr;
  documents->ptr[0].body.len = body.len;
  documents->ptr[0].published.is_some = false;
  documents->ptr[0].source = own("the setting `price`");
  return true;
}
