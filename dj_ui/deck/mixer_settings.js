// How a beat is mixed: what differs from the table that Python sends (dj_core/sound/mixer_table.py),
// as { channel: { control: value } }. A channel is a drum's name or the bus.

const NO_TABLE = { drums: [], bus: 'bus', strip_controls: [], bus_controls: [], formulas: {}, presets: [] }

/** The table, asked. Without one, as where the engine is loaded alone, nothing changes a sound. */
export class MixerTable {
  constructor(table = NO_TABLE) {
    Object.assign(this, table)
    this.stripDefaults = defaultsOf(this.strip_controls)
    this.busDefaults = defaultsOf(this.bus_controls)
  }

  controls(channel) { return channel === this.bus ? this.bus_controls : this.strip_controls }
  control(channel, name) { return this.controls(channel).find((one) => one.name === name) }

  /** Where every control of a drum stands. */
  strip(mixer, lane) { return { ...this.stripDefaults, ...mixer?.[this.drums[lane]] } }

  /** Where every control of the bus stands. */
  busOf(mixer) { return { ...this.busDefaults, ...mixer?.[this.bus] } }

  value(mixer, channel, name) {
    return mixer?.[channel]?.[name] ?? this.control(channel, name).default
  }

  /** The mixer with one control elsewhere, on its grain; what changes nothing is left out. */
  with(mixer, channel, name, wanted) {
    const { low, high, step, default: rest } = this.control(channel, name)
    const onGrain = Number((Math.round(wanted / step) * step).toFixed(6))
    const value = Math.min(high, Math.max(low, onGrain))
    const { [name]: _, ...others } = mixer?.[channel] ?? {}
    const { [channel]: __, ...rested } = mixer ?? {}
    const strip = value === rest ? others : { ...others, [name]: value }
    return Object.keys(strip).length ? { ...rested, [channel]: strip } : rested
  }
}

export function isNeutral(mixer) { return !mixer || !Object.keys(mixer).length }

/** The same text for the same mixer, whatever order it was turned in. */
export function mixerKey(mixer) {
  const sorted = (one) => Object.entries(one).sort(([a], [b]) => (a < b ? -1 : 1))
  return JSON.stringify(sorted(mixer ?? {}).map(([channel, strip]) => [channel, sorted(strip)]))
}

function defaultsOf(controls) {
  return Object.fromEntries(controls.map((control) => [control.name, control.default]))
}
