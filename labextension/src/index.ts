// Imported first: this keeps our own code together, which compresses better.
import 'uplot';

import { modelPlugin } from './plugins/model';
import { panelPlugin } from './plugins/panel';
import { statusBarPlugin } from './plugins/statusbar';
import { dashboardPlugin } from './plugins/dashboard';
import '../style/index.js';

/** All plugins of the extension. */
export default [modelPlugin, panelPlugin, dashboardPlugin, statusBarPlugin];
