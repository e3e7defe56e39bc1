@echo off
rem Double-click on Windows: installs Digital DJ beside this file the first time, then starts it.
pushd "%~dp0"
where py >nul 2>nul && (py -3 start.py %* & goto done)
where python >nul 2>nul && (python start.py %* & goto done)
echo This needs Python 3.11 or newer. Get it from https://www.python.org/downloads/ and try again.
:done
if errorlevel 1 pause
