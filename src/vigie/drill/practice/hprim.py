"""HPRIM Médecin text files: what French laboratories have sent to practices since 1997.

Thirteen header lines, free text, then `****LAB****` with one `RES|` line a value, `****FIN****` and
`****FINFICHIER****`; ISO-8859-1, CR LF. There is no public specification to quote: the layout is the one
readers in the field accept.
"""

from datetime import datetime
from random import Random

from vigie.drill.practice.draft import Draft
from vigie.drill.practice.people import Patient
from vigie.drill.practice.results import Report, Result, sample

LABORATORY = "LABO INVENTÉ DES LILAS"

_BEYOND_LATIN1 = str.maketrans({"œ": "oe", "Œ": "OE", "ı": "i", "ş": "s", "ğ": "g", "’": "'"})


def latin1(text: str) -> bytes:
    """ISO-8859-1; letters it lacks are written the way such software does."""
    return text.translate(_BEYOND_LATIN1).encode("latin-1", errors="replace")


def header(patient: Patient, number: str, when: datetime) -> list[str]:
    """The thirteen lines that say whose result it is, from whom and to whom."""
    return [
        patient.ipp,
        patient.name.upper(),
        patient.given.upper(),
        patient.street,
        "",
        f"{patient.postcode} {patient.town.upper()}",
        f"{patient.birth:%d/%m/%Y}",
        patient.ins,
        number,
        f"{when:%d/%m/%Y}",
        f"LAB01 {LABORATORY}",
        f"{patient.doctor.code} {patient.doctor.title}",
        "",
    ]


def _line(result: Result) -> str:
    low = "" if result.low is None else result.text(result.low)
    high = "" if result.high is None else result.text(result.high)
    analyte = result.analyte
    return (
        f"RES|{analyte.label}|{analyte.short}|N|{result.text()}|{analyte.unit}|{low}|{high}|"
        f"{result.flag or 'N'}|F|||||"
    )


def text(report: Report) -> str:
    """The whole file."""
    lines = header(report.patient, report.number, report.validated)
    lines += [f"Dossier {report.number}, prélevé le {report.taken:%d/%m/%Y à %H:%M}", ""]
    for panel, results in report.panels:
        lines.append(panel.title.upper())
        for result in results:
            name = f"{result.analyte.label} ".ljust(38, ".")
            value = result.text().replace(".", ",")
            before = f"(ant. {result.text(result.previous).replace('.', ',')})"
            lines.append(
                f"  {name} {value:>8} {result.analyte.unit:<14} {result.usual.replace('.', ','):<15} "
                f"{result.flag:<2} {before}".rstrip()
            )
        lines.append("")
    lines += [f"Validé par le biologiste le {report.validated:%d/%m/%Y à %H:%M}", "", "****LAB****"]
    for panel, results in report.panels:
        lines.append(f"TEX|{panel.title}|")
        lines += [_line(result) for result in results]
    lines += ["****FIN****", "****FINFICHIER****", ""]
    return "\r\n".join(lines)


def document(patient: Patient, when: datetime, rng: Random) -> Draft:
    """A result as the messaging client drops it into the share."""
    made = sample(patient, when, rng)
    suffix = rng.choice(("hpr", "hpr", "hpr", "txt"))
    return Draft(
        f"Biologie/{when:%Y/%m}/{made.number}_{patient.ipp}.{suffix}", latin1(text(made)), made.validated
    )
