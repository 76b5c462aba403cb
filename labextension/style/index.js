import 'uplot/dist/uPlot.min.css';
import './base.css';
import './statusbar.css';
import './findings.css';
import './precision.css';
import './recordings.css';
import './training.css';
import './dashboard.css';
