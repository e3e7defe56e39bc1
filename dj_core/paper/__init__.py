"""The paper reproduced by one command: tables, figures and a report.

`reproduction.reproduce` runs everything and leaves tables, figures and ``results.json``; `results`
reads them back for the app's page. `plan` lists what is trained, `scoring` holds the one measure
by which all of it is compared, and the other modules each make one part of the results.
"""
