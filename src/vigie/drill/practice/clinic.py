"""What the invented patients suffer from, and what follows from it: drugs, laboratory shifts, sentences."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Drug:
    """A prescription line: international name, dose, how it is taken."""

    name: str
    dose: str
    posology: str


@dataclass(frozen=True, slots=True)
class Condition:
    """A long-standing condition."""

    name: str
    icd10: str
    drugs: tuple[Drug, ...]
    sentence: str
    """What a letter says of it, in French."""
    likely: tuple[float, float]
    """Probability under 50, and from 50 on."""
    shift: dict[str, float] = field(default_factory=dict)
    """LOINC code -> standard deviations the patient's usual value is moved by."""


CONDITIONS = (
    Condition(
        "Hypertension artérielle", "I10",
        (Drug("Périndopril", "5 mg", "1 comprimé le matin"),
         Drug("Amlodipine", "5 mg", "1 comprimé le soir")),
        "La pression artérielle est contrôlée à domicile, à {systolic}/{diastolic} mmHg en automesure.",
        (0.06, 0.42), {"14682-9": 0.6},
    ),
    Condition(
        "Diabète de type 2", "E11",
        (Drug("Metformine", "1000 mg", "1 comprimé matin et soir au cours du repas"),),
        "L'équilibre glycémique reste perfectible malgré les mesures diététiques ; le fond d'œil est à jour.",
        (0.03, 0.18), {"4548-4": 5.5, "14771-0": 5.0, "14927-8": 1.2},
    ),
    Condition(
        "Hypothyroïdie", "E03",
        (Drug("Lévothyroxine", "75 µg", "1 comprimé le matin à jeun"),),
        "La substitution thyroïdienne est bien tolérée, sans signe de surdosage.",
        (0.03, 0.08), {"3016-3": 1.6},
    ),
    Condition(
        "Dyslipidémie", "E78",
        (Drug("Atorvastatine", "20 mg", "1 comprimé le soir"),),
        "Le traitement par statine est poursuivi, sans myalgie rapportée.",
        (0.04, 0.30), {"14647-2": 1.5, "14927-8": 0.8},
    ),
    Condition(
        "Fibrillation atriale", "I48",
        (Drug("Apixaban", "5 mg", "1 comprimé matin et soir"),
         Drug("Bisoprolol", "2,5 mg", "1 comprimé le matin")),
        "Le rythme est irrégulier à l'auscultation, bien contrôlé à {pulse} battements par minute.",
        (0.0, 0.09), {},
    ),
    Condition(
        "Asthme", "J45",
        (Drug("Budésonide/formotérol", "200/6 µg", "2 bouffées matin et soir"),),
        "L'auscultation pulmonaire est libre ; le débit de pointe est à {peak} L/min.",
        (0.09, 0.06), {"711-2": 1.5},
    ),
    Condition(
        "Insuffisance rénale chronique", "N18",
        (Drug("Furosémide", "40 mg", "1 comprimé le matin"),),
        "La fonction rénale est stable ; les néphrotoxiques restent à éviter.",
        (0.01, 0.10), {"14682-9": 3.6, "22664-7": 2.4, "2823-3": 1.0, "718-7": -1.2},
    ),
    Condition(
        "Anémie ferriprive", "D50",
        (Drug("Sulfate ferreux", "80 mg", "1 comprimé par jour pendant trois mois"),),
        "L'asthénie s'améliore sous supplémentation martiale.",
        (0.06, 0.05), {"718-7": -2.2, "787-2": -2.0, "2276-4": -1.6},
    ),
)  # fmt: skip

ALLERGIES = ("Pénicillines", "Produits de contraste iodés", "Latex", "Arachide", "Aspirine", "Sulfamides")

ACUTE = (
    Drug("Paracétamol", "1 g", "1 comprimé toutes les 6 heures si douleur, sans dépasser 3 g par jour"),
    Drug("Amoxicilline", "1 g", "1 comprimé matin, midi et soir pendant 6 jours"),
    Drug("Ibuprofène", "400 mg", "1 comprimé matin et soir pendant 3 jours"),
    Drug("Macrogol", "4 g", "1 sachet le matin"),
    Drug("Oméprazole", "20 mg", "1 gélule le soir pendant 4 semaines"),
)
