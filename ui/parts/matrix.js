// Who may do what: a real table whose cells are buttons. One of them is in the tab order, arrows go on from it.
export default {
  template: `
<table class="matrix" :aria-label="label" @keydown="step">
  <thead><tr>
    <th scope="col" class="what">Permission</th>
    <th v-for="role in roles" :key="role.key" scope="col" :class="{ marked: role.key === marked }">{{ role.name }}<span class="n">{{ role.count }}</span></th>
  </tr></thead>
  <tbody v-for="group in groups" :key="group.name">
    <tr class="cat"><th :colspan="roles.length + 1" scope="rowgroup"><span>{{ group.name }}</span></th></tr>
    <tr v-for="row in group.rows" :key="row.key">
      <th scope="row" class="what">{{ row.title }}<span class="key">{{ row.key }}</span></th>
      <td v-for="(role, i) in roles" :key="role.key" :class="{ marked: role.key === marked }">
        <button type="button" class="may" :class="row.cells[i] ? 'yes' : 'no'" :data-row="row.key + ':' + role.key" :tabindex="row.key + ':' + role.key === stop ? 0 : -1"
          :aria-label="words(row.cells[i]) + ': ' + row.title + ', ' + role.name" :aria-expanded="row.key + ':' + role.key === open ? 'true' : 'false'"
          @focus="at = row.key + ':' + role.key" @click="$emit('open', row.key + ':' + role.key)"><svg class="i" aria-hidden="true"><use :href="row.cells[i] ? yes : no"></use></svg><span>{{ words(row.cells[i]) }}</span></button>
      </td>
    </tr>
  </tbody>
</table>`,
  props: { label: String, roles: Array, groups: Array, marked: String, open: String, yes: String, no: String },
  data: () => ({ at: "" }),
  computed: {
    stop() {
      const names = this.groups.flatMap((group) => group.rows.flatMap((row) => this.roles.map((role) => `${row.key}:${role.key}`)));
      return names.includes(this.at) ? this.at : names[0];
    },
  },
  methods: {
    words(isGranted) {
      return isGranted ? "Allowed" : "Denied";
    },
    step(event) {
      const cells = [...this.$el.querySelectorAll(".may")];
      const now = cells.indexOf(event.target);
      const wide = this.roles.length;
      const by = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: wide, ArrowUp: -wide }[event.key];
      if (now < 0 || by === undefined) return;
      event.preventDefault();
      const isAcross = Math.abs(by) === 1;
      const next = cells[now + by];
      if (next && (!isAcross || Math.floor(now / wide) === Math.floor((now + by) / wide))) next.focus();
    },
  },
};
