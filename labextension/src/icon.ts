import { LabIcon } from '@jupyterlab/ui-components';

import chipSvg from '../style/chip.svg';

/** The extension's icon: a chip with bars on it. */
export const chipIcon = new LabIcon({ name: 'gpuperf:chip', svgstr: chipSvg });
