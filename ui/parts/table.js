// The table of every list: real table semantics, native checkboxes, cards on a phone (see css/table.css).
const CELL = `
  <template v-if="cell.kind === 'code'"><span class="code">{{ cell.code }}</span>{{ cell.main }}</template>
  <span v-else-if="cell.kind === 'badge'" :class="['badge', cell.tone]"><svg v-if="cell.icon" class="i" aria-hidden="true"><use :href="cell.icon"></use></svg>{{ cell.main }}</span>
  <time v-else-if="cell.kind === 'when'" class="num" :datetime="cell.at" :title="cell.exact" data-relative>{{ ago(cell.at) }}</time>
  <template v-else-if="cell.kind === 'dots'"><span class="tries" aria-hidden="true"><i v-for="n in Math.max(cell.of, cell.used)" :key="n" :class="n < cell.used ? 'f' : n === cell.used ? ['f', cell.last] : null"></i></span><span class="sr-only">{{ cell.used }} of {{ cell.of }}</span></template>
  <template v-else><template v-if="cell.icon"><svg class="i" aria-hidden="true"><use :href="cell.icon"></use></svg><span class="sr-only">{{ cell.means }} </span></template>{{ cell.main }}</template>`;

export default {
  template: `
<table class="list" :aria-label="label" :aria-busy="busy ? 'true' : 'false'">
  <thead><tr>
    <th v-if="selectable" scope="col" class="c-sel"><input type="checkbox" aria-label="Select all rows on this page" :checked="allSelected" :indeterminate="someSelected" @change="$emit('choose-page', $event.target.checked)"></th>
    <th v-for="c in columns" :key="c.key" scope="col" :class="['c-' + c.card, { right: c.right }]" :style="c.width ? { width: c.width } : null" :aria-sort="c.sort || null">
      <button v-if="c.sort" type="button" class="thbtn" @click="$emit('sort', c.key)">{{ c.title }}<span aria-hidden="true">{{ { descending: '↓', ascending: '↑' }[c.sort] || '↕' }}</span></button>
      <template v-else>{{ c.title }}</template>
    </th>
  </tr></thead>
  <tbody>
    <tr v-for="row in rows" :key="row.id" :class="{ sel: isSelected(row), open: row.id === open, gone: row.gone }" @click="clicked(row)">
      <td v-if="selectable" class="c-sel" @click.stop><input type="checkbox" :aria-label="'Select ' + row.name" :checked="isSelected(row)" @change="$emit('choose', row.id, $event.target.checked)"></td>
      <td v-for="(c, i) in columns" :key="c.key" :class="['c-' + c.card, { right: c.right, mono: row.cells[i].mono }]">
        <template v-for="cell in [row.cells[i]]">
          <div class="cm" :title="cell.title || null">
            <button v-if="i === 0" type="button" class="rowlink" :data-row="row.id" :aria-expanded="row.id === open ? 'true' : 'false'" @click.stop="$emit('open', row.id)">${CELL}</button>
            <template v-else>${CELL}</template>
          </div>
          <div v-if="cell.subAt" class="cs">{{ cell.sub }} <time :datetime="cell.subAt" data-relative>{{ ago(cell.subAt) }}</time>{{ cell.after }}</div>
          <div v-else-if="cell.sub" class="cs">{{ cell.sub }}</div>
        </template>
      </td>
    </tr>
  </tbody>
</table>`,
  props: { label: String, columns: Array, rows: Array, selected: Array, open: String, selectable: Boolean, busy: Boolean },
  computed: {
    chosen() {
      return new Set(this.selected);
    },
    allSelected() {
      return this.rows.length > 0 && this.rows.every((row) => this.chosen.has(row.id));
    },
    someSelected() {
      return !this.allSelected && this.rows.some((row) => this.chosen.has(row.id));
    },
  },
  methods: {
    isSelected(row) {
      return this.chosen.has(row.id);
    },
    ago(at) {
      return window.waypost ? window.waypost.relative(at) : "";
    },
    clicked(row) {
      if (String(window.getSelection())) return; // someone is copying a number
      this.$emit("open", row.id);
    },
  },
};
