@echo off
rem Double-click on Windows: tells rekordbox where this set is.
cd /d "%~dp0"
powershell -NoProfile -ExecutionPolicy Bypass -Command "$here = (Get-Location).Path; $file = Join-Path $here 'rekordbox.xml'; $xml = New-Object System.Xml.XmlDocument; $xml.PreserveWhitespace = $true; $xml.Load($file); $place = ((($here -replace '\\', '/').Split('/') | ForEach-Object { [uri]::EscapeDataString($_) }) -join '/') -replace '%%3A', ':'; foreach ($track in $xml.SelectNodes('/DJ_PLAYLISTS/COLLECTION/TRACK')) { $parts = $track.GetAttribute('Location').Split('/'); $track.SetAttribute('Location', 'file://localhost/' + $place.TrimStart('/') + '/' + $parts[-2] + '/' + $parts[-1]) }; $xml.Save($file); Write-Host ('The tracks now point to ' + $here + '.')"
if errorlevel 1 echo rekordbox.xml was left as it is.
pause
