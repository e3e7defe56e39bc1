@echo off
rem Double-click on Windows: tells rekordbox where this set is.
cd /d "%~dp0"
where py >nul 2>nul && (py -3 relocate.py & goto done)
where python >nul 2>nul && (python relocate.py & goto done)
echo This needs Python 3. Get it from https://www.python.org/downloads/ and try again.
:done
pause
