// Numbers: kept between bounds, and said as a DJ reads them.

export function clamp(value, low, high) { return Math.min(high, Math.max(low, value)) }

export function shortTempo(tempo) { return `${Number(tempo.toFixed(tempo < 100 ? 2 : 1))}` }
