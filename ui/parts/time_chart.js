// The figures of a chart over time as a table, made only once it is opened.
export default {
  template: `
<details class="sameastable" @toggle="isOpen = $event.target.open">
  <summary>The same figures as a table</summary>
  <div v-if="isOpen" class="figures" role="group" tabindex="0" :aria-label="label"><table>
    <caption class="sr-only">{{ label }}</caption>
    <thead><tr><th v-for="(head, i) in heads" :key="i" scope="col" :class="i ? 'right' : null">{{ head }}</th></tr></thead>
    <tbody><tr v-for="(row, place) in rows" :key="place"><template v-for="(cell, i) in row" :key="i"><th v-if="i === 0" scope="row">{{ cell }}</th><td v-else class="right num">{{ cell }}</td></template></tr></tbody>
  </table></div>
</details>`,
  props: { label: String, heads: Array, rows: Array },
  data() {
    return { isOpen: false };
  },
};
