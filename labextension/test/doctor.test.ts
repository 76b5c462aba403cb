import assert from 'node:assert/strict';
import { test } from 'node:test';

import type { CheckFinding, DoctorReport } from '../src/api/generated';
import { RequestError } from '../src/api/rest';
import { DoctorModel } from '../src/model/doctor';

function reportOf(
  kernel: string,
  ...statuses: CheckFinding['status'][]
): DoctorReport {
  const checks = statuses.map(
    (status, i) => ({ id: `check${i}`, status }) as CheckFinding
  );
  return { kernel_name: kernel, checks } as DoctorReport;
}

/** Answers on demand. */
class Server {
  readonly asked: { kernel: string; refresh: boolean }[] = [];
  private readonly answers: ((report: DoctorReport | RequestError) => void)[] =
    [];

  doctor(kernel: string, refresh: boolean): Promise<DoctorReport> {
    this.asked.push({ kernel, refresh });
    return new Promise((resolve, reject) => {
      this.answers.push(answer =>
        answer instanceof RequestError ? reject(answer) : resolve(answer)
      );
    });
  }

  async answer(
    which: number,
    answer: DoctorReport | RequestError
  ): Promise<void> {
    this.answers[which](answer);
    await new Promise(resolve => setImmediate(resolve));
  }
}

/** A page that can be hidden. */
function page() {
  const listeners: (() => void)[] = [];
  return {
    visible: true,
    isVisible(): boolean {
      return this.visible;
    },
    onVisibilityChange: (listener: () => void) => {
      listeners.push(listener);
    },
    show(visible: boolean): void {
      this.visible = visible;
      listeners.forEach(listener => listener());
    }
  };
}

const aMoment = () => new Promise(resolve => setTimeout(resolve, 20));

test('the report is requested once, when it is first visible', async () => {
  const server = new Server();
  const model = new DoctorModel(server, page(), 0);
  model.watch(false);
  assert.equal(server.asked.length, 0);
  model.watch(true);
  model.watch(false);
  model.watch(true);
  await aMoment();
  assert.deepEqual(server.asked, [{ kernel: '', refresh: false }]);
  assert.equal(model.busy, true);
  await server.answer(0, reportOf('', 'ok', 'fail', 'warn', 'fail'));
  assert.equal(model.busy, false);
  const wrong = model.withStatus('fail', 'warn').map(each => each.id);
  assert.deepEqual(wrong, ['check1', 'check3', 'check2']);
  model.watch(true);
  await aMoment();
  assert.equal(server.asked.length, 1);
});

test('a hidden page requests nothing', async () => {
  const server = new Server();
  const hidden = page();
  const model = new DoctorModel(server, hidden, 0);
  model.watch(true);
  hidden.show(false);
  await aMoment();
  assert.equal(server.asked.length, 0);
  hidden.show(true);
  await aMoment();
  assert.equal(server.asked.length, 1);
});

test('a late report on another environment is not shown', async () => {
  const server = new Server();
  const model = new DoctorModel(server, page(), 0);
  model.watch(true);
  await aMoment();
  model.choose('other');
  await server.answer(1, reportOf('other', 'ok'));
  await server.answer(0, reportOf('', 'fail'));
  assert.equal(model.report?.kernel_name, 'other');
  assert.equal(model.busy, false);
});

test('an error is shown beside the previous report until the next answer', async () => {
  const server = new Server();
  const model = new DoctorModel(server, page(), 0);
  model.watch(true);
  await aMoment();
  await server.answer(0, reportOf('', 'ok'));
  void model.examine(true);
  await server.answer(
    1,
    new RequestError({ code: 'worker_died', message: 'It died.', hint: '' })
  );
  assert.equal(model.error?.code, 'worker_died');
  assert.equal(model.report?.checks.length, 1);
  void model.examine(true);
  assert.equal(model.error, null);
  assert.deepEqual(server.asked[2], { kernel: '', refresh: true });
});
