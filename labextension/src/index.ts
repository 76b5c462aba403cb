// First: all of our own code lies together then, and compresses the better for it.
import 'uplot';

import { modelPlugin } from './plugins/model';
import { panelPlugin } from './plugins/panel';
import { statusBarPlugin } from './plugins/statusbar';
import { dashboardPlugin } from './plugins/dashboard';
import '../style/index.js';

/** All plugins of the extension. */
export default [modelPlugin, panelPlugin, dashboardPlugin, statusBarPlugin];
