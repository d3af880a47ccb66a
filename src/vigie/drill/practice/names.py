"""The raw material of invented people: names by generation, streets, towns and their real postcodes."""

from typing import NamedTuple

GIVEN: tuple[tuple[int, tuple[str, ...], tuple[str, ...]], ...] = (
    (
        1945,
        ("Jean", "Pierre", "Michel", "André", "Jacques", "René", "Roger", "Marcel", "Henri", "Jean-Claude"),
        (
            "Marie",
            "Jeanne",
            "Monique",
            "Jacqueline",
            "Simone",
            "Thérèse",
            "Yvette",
            "Odette",
            "Denise",
            "Huguette",
        ),
    ),
    (
        1970,
        (
            "Philippe",
            "Alain",
            "Patrick",
            "Gérard",
            "Christian",
            "Jean-Luc",
            "Éric",
            "Bruno",
            "François",
            "Thierry",
        ),
        (
            "Catherine",
            "Martine",
            "Sylvie",
            "Brigitte",
            "Chantal",
            "Françoise",
            "Véronique",
            "Marie-Hélène",
            "Annie",
        ),
    ),
    (
        1990,
        (
            "Sébastien",
            "Nicolas",
            "Stéphane",
            "Frédéric",
            "Christophe",
            "Jérôme",
            "Cédric",
            "Julien",
            "Grégory",
        ),
        (
            "Céline",
            "Stéphanie",
            "Aurélie",
            "Émilie",
            "Nathalie",
            "Sandrine",
            "Karine",
            "Delphine",
            "Anne-Sophie",
        ),
    ),
    (
        2008,
        ("Kevin", "Thomas", "Alexandre", "Maxime", "Antoine", "Mehdi", "Quentin", "Théo", "Clément", "Loïc"),
        ("Camille", "Léa", "Manon", "Marine", "Inès", "Chloé", "Pauline", "Mathilde", "Noémie", "Anaïs"),
    ),
    (
        9999,
        ("Gabriel", "Raphaël", "Léo", "Louis", "Adam", "Jules", "Noé", "Maël", "Hugo", "Timéo"),
        ("Louise", "Jade", "Emma", "Alice", "Ambre", "Zoé", "Lina", "Romy", "Maëlys", "Éléonore"),
    ),
)
"""(born before this year, men, women): who is called Huguette was not born in 2015."""

SURNAMES = (
    "Martin", "Bernard", "Thomas", "Petit", "Robert", "Durand", "Dubois", "Moreau", "Laurent",
    "Lefèvre", "Garçon", "Béranger", "Mercier", "Guérin", "Boyer", "Chevalier", "François", "Legrand",
    "Garnier", "Faure", "Rousseau", "Blanc", "Müller", "Jiménez", "N'Diaye", "Le Goff", "Le Roux",
    "Kervella", "Hœrner", "Da Silva", "Benali", "Haddad", "Nguyen", "Traoré", "Lacroix", "Bréchet",
    "Château", "Noël", "D'Hervé", "De La Tour", "Etchegaray", "Vasseur", "Delattre", "Schmitt",
    "Pélissier", "Fabre", "Casanova", "Maïga", "Açıkgöz",
)  # fmt: skip

STREETS = (
    "rue des Lilas", "rue de la République", "avenue Jean Jaurès", "place de l'Église",
    "rue du Général de Gaulle", "chemin des Vignes", "impasse du Moulin", "boulevard Victor Hugo",
    "allée des Tilleuls", "rue de la Gare", "rue Pasteur", "quai de la Marne", "rue du 8 Mai 1945",
    "route de Saint-Médard", "rue Hélène Boucher",
)  # fmt: skip


class Town(NamedTuple):
    """A town that exists, with a postcode it has."""

    postcode: str
    name: str


TOWNS = (
    Town("91100", "Corbeil-Essonnes"), Town("78000", "Versailles"), Town("77100", "Meaux"),
    Town("75012", "Paris"), Town("29200", "Brest"), Town("35400", "Saint-Malo"),
    Town("44600", "Saint-Nazaire"), Town("76200", "Dieppe"), Town("59140", "Dunkerque"),
    Town("67000", "Strasbourg"), Town("21200", "Beaune"), Town("88000", "Épinal"),
    Town("69400", "Villefranche-sur-Saône"), Town("13200", "Arles"), Town("38500", "Voiron"),
    Town("30100", "Alès"), Town("40100", "Dax"), Town("24000", "Périgueux"), Town("64100", "Bayonne"),
    Town("82000", "Montauban"),
)  # fmt: skip

AREA = {
    "1": ("75", "77", "78", "91"),
    "2": ("29", "35", "44", "76"),
    "3": ("21", "59", "67", "88"),
    "4": ("13", "30", "38", "69"),
    "5": ("24", "40", "64", "82"),
}
"""First digit of a landline -> the departments of the towns above that it serves."""

FICTION = {"1": "019900", "2": "026191", "3": "035301", "4": "046571", "5": "053649", "6": "063998"}
"""First digit -> the block of 10,000 numbers that the French numbering plan (ARCEP decision 2018-0881 as
amended, audiovisual works) sets aside: no subscriber ever has one."""
