// The list of causes beside the dead letters. A component, so that live counts keep the focus where it is.
export default {
  template: `
<ul class="glist">
  <li v-for="g in groups" :key="g.key">
    <button type="button" :class="['gitem', 'tone-' + g.tone]" :aria-pressed="g.key === chosen ? 'true' : 'false'" :title="g.detail ? g.title + ': ' + g.detail : null" @click="$emit('choose', g.key)">
      <span class="t">{{ g.title }}</span><span class="c">{{ g.count }}</span>
      <span v-if="g.about" class="a">{{ g.about }}</span>
      <span class="bar"><i :style="{ width: g.share + '%' }"></i></span>
    </button>
  </li>
</ul>`,
  props: { groups: Array, chosen: String },
};
