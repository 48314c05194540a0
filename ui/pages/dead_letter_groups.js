// The list of causes beside the dead letters. A component, so that live counts keep the focus where it is.
const WIDTH = 64;
const HEIGHT = 18;

export default {
  template: `
<ul class="glist">
  <li v-for="g in groups" :key="g.key">
    <button type="button" :class="['gitem', 'tone-' + g.tone]" :aria-pressed="g.key === chosen ? 'true' : 'false'" :title="g.detail ? g.title + ': ' + g.detail : null" @click="$emit('choose', g.key)">
      <span class="t">{{ g.title }}</span><span class="c">{{ g.count }}</span>
      <span v-if="g.about" class="a">{{ g.about }}</span>
      <svg v-if="g.hours && g.hours.some((n) => n)" class="trend" viewBox="0 0 ${WIDTH} ${HEIGHT}" aria-hidden="true"><path :d="line(g.hours)"/></svg>
      <span v-if="g.last" class="w"><span class="k">{{ g.klass }}</span> · last <time :datetime="g.last" data-relative>{{ ago(g.last) }}</time><span class="sr-only">, {{ g.today }} in 24 hours</span></span>
      <span class="bar"><i :style="{ width: g.share + '%' }"></i></span>
    </button>
  </li>
</ul>`,
  props: { groups: Array, chosen: String },
  methods: {
    ago(at) {
      return window.waypost ? window.waypost.relative(at) : "";
    },
    line(hours) {
      const most = Math.max(...hours);
      const points = hours.map((n, i) => `${((i * WIDTH) / (hours.length - 1)).toFixed(1)} ${(HEIGHT - 2 - (n * (HEIGHT - 4)) / most).toFixed(1)}`);
      return `M${points.join("L")}`;
    },
  },
};
