"""Medical French by the sentence: what letters and consultation notes are put together from."""

from datetime import datetime
from random import Random

from vigie.drill.practice.people import Patient

_REASONS = (
    "pour le renouvellement de son traitement habituel",
    "en raison d'une fatigue évoluant depuis trois semaines",
    "pour des douleurs lombaires apparues après un effort de soulèvement",
    "dans le cadre de sa surveillance annuelle",
    "pour une toux persistante sans fièvre",
    "à la demande de sa famille, inquiète d'une perte d'appétit",
    "pour des palpitations survenant à l'effort",
    "pour des céphalées matinales d'installation récente",
)
_EXAMINATIONS = (
    "L'examen clinique retrouve un état général conservé, avec un poids de {weight} kg, stable.",
    "La pression artérielle est mesurée à {systolic}/{diastolic} mmHg aux deux bras, le pouls à {pulse}/min.",
    "L'auscultation cardiaque est régulière, sans souffle ; les pouls périphériques sont tous perçus.",
    "Les champs pulmonaires sont libres et la saturation est à {saturation} % en air ambiant.",
    "L'abdomen est souple, dépressible et indolore, sans masse ni organomégalie palpable.",
    "L'examen neurologique ne retrouve pas de déficit sensitivomoteur ; les réflexes sont symétriques.",
    "Il n'existe pas d'œdème des membres inférieurs ni de signe de thrombose veineuse.",
)
_PLANS = (
    "Je propose de poursuivre le traitement à l'identique et de revoir la situation dans trois mois.",
    "Un bilan biologique de contrôle a été prescrit, à réaliser à jeun avant la prochaine consultation.",
    "Les règles hygiéno-diététiques ont été rappelées, en particulier la marche quotidienne.",
    "Une échographie a été demandée ; le compte rendu vous sera adressé dès réception.",
    "La vaccination antigrippale a été réalisée ce jour, sans réaction immédiate.",
    "En cas d'aggravation, une réévaluation rapide est convenue, au besoin par les urgences.",
)
_CLOSINGS = (
    "En vous remerciant de votre confiance, je vous prie de croire à mes sentiments confraternels.",
    "Je reste à votre disposition pour tout renseignement complémentaire. Bien confraternellement.",
    "Je vous remercie de l'avis que vous voudrez bien me donner et vous adresse mes cordiales salutations.",
)


def signs(patient: Patient, when: datetime) -> dict[str, int]:
    """Vital signs of that patient that day, for the sentences to name."""
    rng = Random(f"{patient.ipp} signs {when.toordinal()}")
    child = patient.age(when.date()) < 16
    return {
        "systolic": rng.randint(95, 115) if child else rng.randint(112, 158),
        "diastolic": rng.randint(55, 70) if child else rng.randint(64, 92),
        "pulse": rng.randint(58, 96),
        "saturation": rng.randint(95, 99),
        "weight": 4 + 3 * patient.age(when.date()) if child else rng.randint(52, 96),
        "peak": rng.randint(320, 560),
    }


def introduction(patient: Patient, when: datetime, rng: Random) -> str:
    """Who was seen, when and why."""
    age = patient.age(when.date())
    years = f"{age} ans" if age > 1 else f"{age} an"
    born = "née" if patient.sex == "F" else "né"
    return (
        f"J'ai revu en consultation le {when:%d/%m/%Y} {patient.title}, {born} le {patient.birth:%d/%m/%Y} "
        f"({years}), {rng.choice(_REASONS)}."
    )


def history(patient: Patient, when: datetime) -> list[str]:
    """One sentence a condition, and the allergies."""
    found = [c.sentence.format(**signs(patient, when)) for c in patient.conditions]
    if not found:
        found = ["Il n'y a pas d'antécédent médical ou chirurgical notable."]
    known = ", ".join(patient.allergies)
    return [*found, f"Allergies connues : {known}." if known else "Aucune allergie connue à ce jour."]


def examination(patient: Patient, when: datetime, rng: Random) -> list[str]:
    """Three to five findings."""
    return [s.format(**signs(patient, when)) for s in rng.sample(_EXAMINATIONS, rng.randint(3, 5))]


def plan(rng: Random) -> list[str]:
    """Two or three things decided."""
    return rng.sample(_PLANS, rng.randint(2, 3))


def closing(rng: Random) -> str:
    """How letters end between colleagues."""
    return rng.choice(_CLOSINGS)
