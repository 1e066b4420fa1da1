"""Runs the Schematron rules of CEN and Peppol over invoices: schematron.py RULES_FOLDER FILE...

Each failed rule is a line "FILE flag [rule] message". The rules are turned into XSLT here, one style sheet for each pattern: in a pattern the first rule that
matches a node is the only one that is asked, as ISO Schematron says.
"""

import pathlib
import sys
import xml.etree.ElementTree as tree
from xml.sax.saxutils import escape, quoteattr

from saxonche import PySaxonProcessor

SCH = "{http://purl.oclc.org/dsdl/schematron}"
XSL = "{http://www.w3.org/1999/XSL/Transform}"


def variable(let):
    return f"<xsl:variable name={quoteattr(let.get('name'))} select={quoteattr(let.get('value'))}/>"


def templates(pattern):
    rules = pattern.findall(SCH + "rule")
    for place, rule in enumerate(rules):
        yield f"<xsl:template match={quoteattr(rule.get('context'))} priority='{len(rules) - place}'>"
        for part in rule:
            if part.tag == SCH + "let":
                yield variable(part)
            elif part.tag in (SCH + "assert", SCH + "report"):
                failed = part.get("test") if part.tag == SCH + "report" else f"not({part.get('test')})"
                message = " ".join("".join(part.itertext()).split())
                named = message if message.startswith("[") else f"[{part.get('id')}] {message}"
                yield f"<xsl:if test={quoteattr(failed)}>{part.get('flag')} {escape(named)}&#10;</xsl:if>"
        yield "<xsl:apply-templates select='@*|node()'/></xsl:template>"


def style_sheets(path):
    schema = tree.parse(path).getroot()
    spaces = "".join(f" xmlns:{ns.get('prefix')}={quoteattr(ns.get('uri'))}" for ns in schema.findall(SCH + "ns"))
    if "xmlns:xs=" not in spaces:
        spaces += ' xmlns:xs="http://www.w3.org/2001/XMLSchema"'
    functions = "".join(tree.tostring(one, encoding="unicode") for one in schema.findall(XSL + "function"))
    lets = "".join(map(variable, schema.findall(SCH + "let")))
    for pattern in schema.findall(SCH + "pattern"):
        own = "".join(map(variable, pattern.findall(SCH + "let")))
        yield (
            f"<xsl:stylesheet version='2.0' xmlns:xsl='{XSL[1:-1]}'{spaces}>"
            "<xsl:output method='text'/>"
            f"{lets}{own}{functions}"
            "<xsl:template match='text()|@*' priority='-9'/>"
            "<xsl:template match='*|/' priority='-9'><xsl:apply-templates select='@*|node()'/></xsl:template>"
            f"{''.join(templates(pattern))}</xsl:stylesheet>"
        )


def main():
    rules, files = pathlib.Path(sys.argv[1]), sys.argv[2:]
    with PySaxonProcessor(license=False) as saxon:
        compiler = saxon.new_xslt30_processor()
        sheets = [
            compiler.compile_stylesheet(stylesheet_text=sheet)
            for path in sorted(rules.glob("*.sch"))
            for sheet in style_sheets(path)
        ]
        for file in files:
            document = saxon.parse_xml(xml_file_name=file)
            for sheet in sheets:
                said = sheet.transform_to_string(xdm_node=document) or ""
                for line in filter(None, map(str.strip, said.splitlines())):
                    print(pathlib.Path(file).name, line)
        print(f"checked {len(files)} files with {len(sheets)} patterns")


main()
