"""Columns to sort by, and the scripts for values that no field of the mapping sorts as they are."""

from __future__ import annotations

from typing import Any, NamedTuple

from mixstore.search import SCORE

DECIMAL = """
if (doc[params.field].size() == 0) { return '' }
String digits = doc[params.field].value;
if (digits == '0') { return '1' }
boolean negative = digits.charAt(0) == (char) '-';
if (negative) { digits = digits.substring(1) }
int point = digits.indexOf('.');
String whole = point < 0 ? digits : digits.substring(0, point);
String part = point < 0 ? '' : digits.substring(point + 1);
int exponent = whole.length();
if (whole == '0') {
  exponent = 0;
  while (part.charAt(-exponent) == (char) '0') { exponent-- }
  part = part.substring(-exponent);
  whole = '';
}
String key = String.valueOf(50000 + exponent) + whole + part;
if (!negative) { return '2' + key }
StringBuilder turned = new StringBuilder('0');
for (int i = 0; i < key.length(); i++) { turned.append(9 - (key.charAt(i) - (char) '0')) }
return turned.append(':').toString();
""".strip()
"""Texts that sort as Decimals do: the sign, the place of the first digit, the digits; all turned round below 0."""

ADDRESS = """
if (doc[params.field].size() == 0) { return '' }
String text = doc[params.field].value;
String prefix = '';
int slash = text.indexOf('/');
if (slash >= 0) { prefix = text.substring(slash + 1); text = text.substring(0, slash) }
String scope = '';
int percent = text.indexOf('%');
if (percent >= 0) { scope = text.substring(percent + 1); text = text.substring(0, percent) }
StringBuilder key = new StringBuilder(text.indexOf(':') < 0 ? '4' : '6');
if (text.indexOf(':') < 0) {
  for (String one : text.splitOnToken('.')) { key.append('000'.substring(one.length())).append(one) }
} else {
  int gap = text.indexOf('::');
  String before = gap < 0 ? text : text.substring(0, gap);
  String after = gap < 0 ? '' : text.substring(gap + 2);
  String[] first = before == '' ? new String[0] : before.splitOnToken(':');
  String[] last = after == '' ? new String[0] : after.splitOnToken(':');
  for (String one : first) { key.append('0000'.substring(one.length())).append(one) }
  for (int i = first.length + last.length; i < 8; i++) { key.append('0000') }
  for (String one : last) { key.append('0000'.substring(one.length())).append(one) }
}
return key.append('/').append('000'.substring(prefix.length())).append(prefix).append('%').append(scope).toString();
""".strip()
"""Texts that sort as addresses, networks and interfaces do: the version, the number, the prefix, the scope."""


class Column(NamedTuple):
    """Something to sort by: a field, or what a script makes of it. The script gives '' where there is no value."""

    field: str
    descending: bool = False
    script: str | None = None

    @property
    def body(self) -> dict[str, Any]:
        """As the engine takes it. None sorts first ascending, last descending."""
        order, missing = ("desc", "_last") if self.descending else ("asc", "_first")
        if self.field == SCORE[0]:
            return {self.field: {"order": order}}
        if self.script is None:
            return {self.field: {"order": order, "missing": missing}}
        script = {"lang": "painless", "source": self.script, "params": {"field": self.field}}
        return {"_script": {"type": "string", "order": order, "script": script}}
